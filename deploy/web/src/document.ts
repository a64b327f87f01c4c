// The document in the page and the blobs beside it; deploy/web/gallery.py writes them.

export interface TensorSpec {
  name: string;
  dtype: "int8" | "int16" | "float32";
  shape: number[];
  scale: number;
  zero_point: number;
}

export interface Latent {
  length: number;
  classes: number;
  class_names: string[];
  directions: { name: string; vector: number[] }[];
}

export interface Tiles {
  /** Pixels drawn for each pixel read, along a side. */
  scale: number;
  /** A tile starts at a multiple of it. */
  multiple: number;
  /** Tiles overlap by twice as many pixels. */
  margin: number;
  /** Whether the result is exactly that of the whole picture. */
  seamless: boolean;
}

export interface PictureInput {
  low: number;
  high: number;
  channels: "grey" | "rgb";
  /** One more channel, the last: 255 where the picture is hidden. */
  mask: boolean;
  /** With a mask: the level that stands in the picture where it hides it. */
  hidden: number | null;
  tiles: Tiles | null;
}

export interface FileFacts {
  label: string;
  variant: string;
  sha256: string;
  bytes: number;
  bytes_gzip: number;
  input: TensorSpec;
  output: TensorSpec;
  reads: Latent | PictureInput;
  low: number;
  high: number;
  quality: string;
}

export interface Gallery {
  schema: string;
  version: number;
  title: string;
  pocketgan: string;
  runtime: string;
  files: FileFacts[];
  shipped: number;
  reference: number | null;
  golden: number;
  table: { columns: string[]; rows: string[][] } | null;
  gates: { text: string; passed: boolean }[];
  warnings: string[];
}

export function readsLatents(reads: Latent | PictureInput): reads is Latent {
  return "class_names" in reads;
}

export function readDocument(): Gallery {
  const gallery: Gallery = JSON.parse(textOf("document"));
  if (gallery.schema !== "pocketgan.gallery" || gallery.version !== 1) {
    throw new Error("this page holds a document that its script does not know");
  }
  return gallery;
}

/** The bytes of a blob. Throws where it is damaged: gzip carries a checksum of its own. */
export async function readBlob(id: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const stream = new Blob([fromBase64(textOf(id))]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new Error(`the part “${id}” of this page is damaged (${reason(error)})`);
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i); // a callback each is slow
  return bytes;
}

/** Why something failed, for the middle of a sentence: browsers end theirs with a full stop. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\.$/, "");
}

function textOf(id: string): string {
  const element = document.getElementById(id);
  if (!element?.textContent) throw new Error(`the part “${id}” of this page is missing`);
  return element.textContent;
}
