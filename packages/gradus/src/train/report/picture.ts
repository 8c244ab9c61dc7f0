// Pictures in a report, as addresses that carry the data. Leans on png.ts.

import { encodePng, type PlainImage, type TransparentImage } from "../png.ts";
import { escapeHtml } from "./text.ts";

/** Enlarged by a whole factor, so that every pixel is a square of the same size. */
export function picturesque(image: PlainImage | TransparentImage, room: number, description: string): string {
  const factor = Math.max(1, Math.floor(room / image.width));
  const source = `data:image/png;base64,${Buffer.from(encodePng(image)).toString("base64")}`;
  return `<img src="${source}" width="${image.width * factor}" height="${image.height * factor}" alt="${escapeHtml(description)}">`;
}
