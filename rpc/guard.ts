import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

import { shortened } from "./json.ts";

// Who may call: a page on the web can make a browser send requests to 127.0.0.1. It cannot hide its
// Origin, nor send JSON without a preflight, and after DNS rebinding the Host is its own name.

/** Names and origins beyond the ones that are always allowed; `*` allows any. */
export type GuardOptions = {
  /** Host names without port under which this server may be called. */
  readonly hosts: readonly string[];
  /** Origins of web pages, e.g. `https://wallet.example`. */
  readonly origins: readonly string[];
};

/** The parts of a request's head that the guard looks at. */
export type RequestHead = {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  /** Fetch metadata: browsers send it, tools do not. */
  readonly fetchSite: string | undefined;
};

/** Why a request is turned away. */
export type GuardRefusal = {
  readonly reason: "host" | "origin" | "contentType";
  readonly status: 403 | 415;
  readonly message: string;
};

function nameOfHost(host: string): string {
  if (host.startsWith("[")) return host.slice(1, host.indexOf("]"));
  const colon = host.lastIndexOf(":");
  return colon === -1 ? host : host.slice(0, colon);
}

function isLoopbackName(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return isIP(name) === 4 && name.startsWith("127.");
}

/** Rebinding needs a name that an attacker's DNS answers for, so an address is always innocent. */
function isHostAllowed(host: string, hosts: readonly string[]): boolean {
  const name = nameOfHost(host).toLowerCase();
  if (isIP(name) !== 0 || isLoopbackName(name)) return true;
  return hosts.includes("*") || hosts.includes(name);
}

/**
 * Of browsers' extensions, such as wallets: their users installed them, with the right to reach any
 * site, and no page can claim to be one.
 */
const extensionProtocols: ReadonlySet<string> = new Set([
  "chrome-extension:",
  "moz-extension:",
  "safari-web-extension:",
]);

/** Whether a page of that origin may read answers. */
export function isOriginAllowed(
  origin: string,
  host: string | undefined,
  origins: readonly string[],
): boolean {
  if (origins.includes("*") || origins.includes(origin)) return true;
  const url = URL.parse(origin);
  if (url !== null && extensionProtocols.has(url.protocol)) return true;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return false;
  if (isLoopbackName(url.hostname.replace(/^\[|\]$/g, ""))) return true;
  return host !== undefined && url.host === host.toLowerCase(); // This server's own pages.
}

const jsonTypes = ["application/json", "application/json-rpc", "application/jsonrequest"];

/** A tool may leave the type out, or send what curl sends unasked; a page in a browser may not. */
function isTypeAllowed(head: RequestHead): boolean {
  const type = (head.contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (jsonTypes.includes(type)) return true;
  if (head.origin !== undefined || head.fetchSite !== undefined) return false;
  return type === "" || type === "application/x-www-form-urlencoded";
}

/** `null` if the request may go on. */
export function guardRequest(head: RequestHead, options: GuardOptions): GuardRefusal | null {
  const { host, origin } = head;
  if (host !== undefined && !isHostAllowed(host, options.hosts)) {
    const message = `host ${shortened(host)} is not served here: add it to rpc.allowedHosts`;
    return { reason: "host", status: 403, message };
  }
  if (origin !== undefined && !isOriginAllowed(origin, host, options.origins)) {
    const message = `origin ${shortened(origin)} is not allowed: add it to rpc.allowedOrigins`;
    return { reason: "origin", status: 403, message };
  }
  if (head.method !== "POST") return null;
  const encoding = head.contentEncoding ?? "identity";
  if (encoding !== "identity") {
    const message = `content encoding ${shortened(encoding)} is not accepted: send plain JSON`;
    return { reason: "contentType", status: 415, message };
  }
  if (isTypeAllowed(head)) return null;
  const type = shortened(head.contentType ?? "");
  const message = `content type ${type} is not accepted: send application/json`;
  return { reason: "contentType", status: 415, message };
}

/** The same for a request's headers. */
export function guardHeaders(
  method: string,
  headers: IncomingHttpHeaders,
  options: GuardOptions,
): GuardRefusal | null {
  const fetchSite = headers["sec-fetch-site"];
  const head = {
    method,
    host: headers.host,
    origin: headers.origin,
    contentType: headers["content-type"],
    contentEncoding: headers["content-encoding"],
    fetchSite: typeof fetchSite === "string" ? fetchSite : fetchSite?.[0],
  };
  return guardRequest(head, options);
}
