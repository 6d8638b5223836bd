/** A thread's program, of which the published package holds JavaScript, without the TypeScript. */
export function workerFile(typeScript: URL): URL {
  const file = new URL(typeScript);
  if (!import.meta.url.endsWith(".ts")) file.pathname = file.pathname.replace(/\.ts$/, ".js");
  return file;
}
