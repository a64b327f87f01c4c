// The same network for larger pictures. Tiles overlap by as far as a file looks, and most of a small
// tile can be overlap: one four times as wide draws the same pixels in a tenth of the time.
//
// Sizes stand in a .tflite in three places: at its input, at its output, and in constants that say how
// large operations draw. All other maps get theirs from these when the runtime opens the file.

/** Builtin operators that read the size they draw at, and which of their inputs that is. */
const SIZE_INPUTS: Record<number, number> = { 23: 1, 67: 0, 97: 1 }; // RESIZE_BILINEAR, TRANSPOSE_CONV, RESIZE_NEAREST_NEIGHBOR

/** A table of the FlatBuffers format; fields by their number in TensorFlow Lite's schema. */
class Table {
  constructor(
    readonly view: DataView,
    readonly at: number,
  ) {}

  static root(view: DataView): Table {
    return new Table(view, view.getUint32(0, true));
  }

  /** Where a field stands; null where it is left out. */
  private place(field: number): number | null {
    const layout = this.at - this.view.getInt32(this.at, true);
    const entry = 4 + 2 * field;
    if (entry >= this.view.getUint16(layout, true)) return null;
    return this.view.getUint16(layout + entry, true) ? this.at + this.view.getUint16(layout + entry, true) : null;
  }

  number(field: number): number {
    const place = this.place(field);
    return place === null ? 0 : this.view.getUint32(place, true);
  }

  byte(field: number): number {
    const place = this.place(field);
    return place === null ? 0 : this.view.getUint8(place);
  }

  /** Where the elements of a vector begin, and how many there are. */
  vector(field: number): { at: number; length: number } {
    const place = this.place(field);
    if (place === null) return { at: 0, length: 0 };
    const at = place + this.view.getUint32(place, true);
    return { at: at + 4, length: this.view.getUint32(at, true) };
  }

  tables(field: number): Table[] {
    const { at, length } = this.vector(field);
    return Array.from({ length }, (_, i) => new Table(this.view, at + 4 * i + this.view.getUint32(at + 4 * i, true)));
  }

  /** Signed whole numbers of 4 bytes. */
  integers(field: number): number[] {
    const { at, length } = this.vector(field);
    return Array.from({ length }, (_, i) => this.view.getInt32(at + 4 * i, true));
  }
}

/**
 * A fully convolutional .tflite of one picture in and one out, for pictures `factor` times as high and
 * wide. Where the file is not such a one, the runtime refuses what this gives.
 */
export function enlarged(content: Uint8Array, factor: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(content);
  const view = new DataView(copy.buffer);
  const model = Table.root(view);
  const codes = model.tables(1).map((code) => Math.max(code.byte(0), code.number(3)));
  const buffers = model.tables(4);
  const [graph] = model.tables(2);
  const tensors = graph.tables(0);
  const sizes = new Set<number>(); // where numbers to be multiplied stand, each once
  for (const tensor of [...graph.integers(1), ...graph.integers(2)]) {
    const { at } = tensors[tensor].vector(0); // [1, height, width, channels]
    sizes.add(at + 4).add(at + 8);
  }
  for (const operator of graph.tables(3)) {
    const input = SIZE_INPUTS[codes[operator.number(0)]];
    if (input === undefined) continue;
    const { at, length } = buffers[tensors[operator.integers(1)[input]].number(2)].vector(0);
    const first = length === 16 ? at + 4 : at; // [1, height, width, channels] or [height, width]
    sizes.add(first).add(first + 4);
  }
  for (const place of sizes) view.setInt32(place, view.getInt32(place, true) * factor, true);
  return copy;
}
