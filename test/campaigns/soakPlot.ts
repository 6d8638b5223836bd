import { crc32, deflateSync } from "node:zlib";
import { concatBytes, textToBytes } from "../../base/bytes.ts";

/*
 * Curves over blocks as a PNG: one panel for each group of curves, axes with their largest values.
 * A bitmap and thirty-odd letters are all that it takes.
 */

/** One curve; `values` are of the same blocks in every curve of a plot. */
export type Curve = { readonly name: string; readonly values: readonly number[] };

/** Curves that share an axis. */
export type Panel = { readonly unit: string; readonly curves: readonly Curve[] };

const width = 960;
const panelHeight = 300;
const margin = 60;

type Colour = readonly [number, number, number];

const white: Colour = [255, 255, 255];
const black: Colour = [40, 40, 40];
const grey: Colour = [215, 215, 215];
const colours: readonly Colour[] = [
  [31, 119, 180],
  [214, 39, 40],
  [44, 160, 44],
  [148, 103, 189],
];

/** Letters of three columns and five rows, a row an octal digit. */
const letters: Readonly<Record<string, string>> = {
  "0": "75557",
  "1": "26227",
  "2": "71747",
  "3": "71717",
  "4": "55711",
  "5": "74717",
  "6": "74757",
  "7": "71122",
  "8": "75757",
  "9": "75717",
  a: "75755",
  b: "65656",
  c: "74447",
  d: "65556",
  e: "74647",
  f: "74644",
  g: "74557",
  h: "55755",
  i: "72227",
  k: "55655",
  l: "44447",
  m: "57755",
  n: "65555",
  o: "75557",
  p: "75744",
  r: "65655",
  s: "74717",
  t: "72222",
  u: "55557",
  v: "55552",
  x: "55255",
  y: "55722",
  "/": "11244",
  ".": "00002",
  ",": "00024",
  "-": "00700",
};

class Bitmap {
  readonly #height: number;
  readonly #pixels: Uint8Array;

  constructor(height: number) {
    this.#height = height;
    this.#pixels = new Uint8Array(width * height * 3).fill(white[0]);
  }

  dot(x: number, y: number, colour: Colour): void {
    const [column, row] = [Math.round(x), Math.round(y)];
    if (column < 0 || column >= width || row < 0 || row >= this.#height) return;
    this.#pixels.set(colour, (row * width + column) * 3);
  }

  line(from: readonly [number, number], to: readonly [number, number], colour: Colour): void {
    const steps = Math.ceil(Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1));
    for (let i = 0; i <= steps; i += 1) {
      const share = i / steps;
      this.dot(from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share, colour);
    }
  }

  /** Twice the size of the letters. */
  text(x: number, y: number, text: string, colour: Colour): void {
    for (const [i, letter] of text.toLowerCase().split("").entries()) {
      const rows = letters[letter] ?? "";
      for (const [row, octal] of rows.split("").entries()) {
        for (let column = 0; column < 3; column += 1) {
          if ((Number(octal) & (4 >> column)) === 0) continue;
          for (const [dx, dy] of [
            [0, 0],
            [1, 0],
            [0, 1],
            [1, 1],
          ] as const) {
            this.dot(x + i * 8 + column * 2 + dx, y + row * 2 + dy, colour);
          }
        }
      }
    }
  }

  png(): Uint8Array {
    const rows: Uint8Array[] = [];
    for (let row = 0; row < this.#height; row += 1) {
      rows.push(new Uint8Array(1), this.#pixels.subarray(row * width * 3, (row + 1) * width * 3));
    }
    const header = new Uint8Array(13);
    const view = new DataView(header.buffer);
    view.setUint32(0, width);
    view.setUint32(4, this.#height);
    header.set([8, 2], 8); // Eight bits each of red, green and blue.
    return concatBytes(
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      chunk("IHDR", header),
      chunk("IDAT", deflateSync(concatBytes(...rows))),
      chunk("IEND", new Uint8Array(0)),
    );
  }
}

/** Length, kind, content, checksum (PNG, section 5.3). */
function chunk(kind: string, content: Uint8Array): Uint8Array {
  const named = concatBytes(textToBytes(kind), content);
  const framed = new Uint8Array(named.length + 8);
  const view = new DataView(framed.buffer);
  view.setUint32(0, content.length);
  framed.set(named, 4);
  view.setUint32(named.length + 4, crc32(named));
  return framed;
}

/** A PNG of the panels, one below the other, over a common axis of blocks. */
export function plotPng(blocks: readonly number[], panels: readonly Panel[]): Uint8Array {
  const bitmap = new Bitmap(panels.length * panelHeight);
  const last = Math.max(1, ...blocks);
  for (const [i, { unit, curves }] of panels.entries()) {
    const [top, bottom] = [i * panelHeight + 30, (i + 1) * panelHeight - 40];
    const most = Math.max(1, ...curves.flatMap(({ values }) => values));
    const x = (at: number): number => margin + ((blocks[at] ?? 0) / last) * (width - margin - 20);
    const y = (value: number): number => bottom - (value / most) * (bottom - top);
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const height = y(most * share);
      bitmap.line([margin, height], [width - 20, height], share === 0 ? black : grey);
      bitmap.text(4, height - 5, (most * share).toFixed(0), black);
    }
    bitmap.line([margin, top], [margin, bottom], black);
    bitmap.text(width - 160, bottom + 10, `${last} blocks`, black);
    for (const [k, { name, values }] of curves.entries()) {
      const colour = colours[k % colours.length] ?? black;
      bitmap.text(margin + 10 + k * 200, top - 20, `${name}, ${unit}`, colour);
      for (let at = 1; at < values.length; at += 1) {
        bitmap.line([x(at - 1), y(values[at - 1] ?? 0)], [x(at), y(values[at] ?? 0)], colour);
      }
    }
  }
  return bitmap.png();
}

/** Least squares: how much `values` grow for each block. */
export function slope(blocks: readonly number[], values: readonly number[]): number {
  const mean = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0) / of.length;
  const [meanX, meanY] = [mean(blocks), mean(values)];
  let above = 0;
  let below = 0;
  for (const [i, block] of blocks.entries()) {
    above += (block - meanX) * ((values[i] ?? 0) - meanY);
    below += (block - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
