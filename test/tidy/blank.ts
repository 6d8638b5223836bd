/*
 * A scanner that knows where comments, strings, templates and regular expressions begin and end,
 * and no more: enough to look for words in code without finding them in prose.
 */

/** The text with comments replaced by spaces, line for line. */
export function blankComments(text: string): string {
  return blank(text, { strings: false });
}

/** The text with comments and the contents of strings replaced by spaces, line for line. */
export function blankStrings(text: string): string {
  return blank(text, { strings: true });
}

const stringOrComment =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`|[{}]|\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;

const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*<>~]|\breturn|\bcase|\btypeof)\s*$/;

function blank(text: string, options: { readonly strings: boolean }): string {
  const scanner = new RegExp(stringOrComment);
  let out = "";
  let at = 0;
  // One entry per open template; its value counts the braces open inside its `${`.
  const templates: number[] = [];
  for (let match = scanner.exec(text); match !== null; match = scanner.exec(text)) {
    const token = match[0];
    const start = match.index;
    out += text.slice(at, start);
    let end = start + token.length;
    if (token.startsWith("//") || token.startsWith("/*")) out += spaces(token);
    else if (token === "`" || (token === "}" && templates.at(-1) === 0)) {
      if (token === "}") templates.pop();
      const { stop, opens } = templateEnd(text, end);
      const part = text.slice(start, stop);
      out += options.strings ? spaces(part) : part;
      if (opens) templates.push(0);
      end = stop;
    } else if (token === "{" || token === "}") {
      const depth = templates.pop();
      if (depth !== undefined) templates.push(depth + (token === "{" ? 1 : -1));
      out += token;
    } else if (token.startsWith("/") && !beforeRegex.test(text.slice(0, start).slice(-40))) {
      out += "/";
      end = start + 1;
    } else
      out += options.strings ? `${token[0]}${spaces(token.slice(1, -1))}${token.at(-1)}` : token;
    at = end;
    scanner.lastIndex = end;
  }
  return out + text.slice(at);
}

/** Where the text part of a template ends: after its closing quote or after `${`. */
function templateEnd(
  text: string,
  from: number,
): { readonly stop: number; readonly opens: boolean } {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "`") return { stop: i + 1, opens: false };
    else if (text[i] === "$" && text[i + 1] === "{") return { stop: i + 2, opens: true };
  }
  return { stop: text.length, opens: false };
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
