// What all panels share: the files, which of them draws now, and who wants to know.

import type { Gallery, Latent, PictureInput } from "./document";
import { Generator } from "./generator";
import type { Runtime } from "./litert";

export class Stage {
  readonly generators: Generator[];
  /** Class that is drawn; -1 means all in turn. */
  label = -1;
  private current: number;
  private readonly listeners: (() => void)[] = [];

  constructor(
    readonly gallery: Gallery,
    runtime: Runtime,
  ) {
    this.generators = gallery.files.map((facts, number) => new Generator(runtime, number, facts));
    this.current = gallery.shipped;
  }

  get generator(): Generator {
    return this.generators[this.current];
  }

  /** The float32 file that others are compared with. */
  get reference(): Generator | null {
    const { reference } = this.gallery;
    return reference === null ? null : this.generators[reference];
  }

  /** What the file reads, on a page of latents. */
  get latent(): Latent {
    return this.generator.facts.reads as Latent;
  }

  /** What the file reads, on a page of pictures. */
  get pictureInput(): PictureInput {
    return this.generator.facts.reads as PictureInput;
  }

  /** Draw with another file from now on. Throws where it does not run, and changes nothing. */
  async choose(number: number): Promise<void> {
    await this.generators[number].open();
    this.current = number;
    this.changed();
  }

  chooseClass(label: number): void {
    this.label = label;
    this.changed();
  }

  /** Call `act` whenever another file or class is to be drawn. */
  onChange(act: () => void): void {
    this.listeners.push(act);
  }

  private changed(): void {
    for (const act of this.listeners) act();
  }
}
