// A file drawn by the GPU, through LiteRT's WebGPU delegate; for the benchmark only, as a GPU's
// arithmetic is its own. What the delegate does not take the processor draws in between.

import type { Compiled, Runtime, TensorBuffer } from "./litert";

export interface Gpu {
  device: GPUDevice;
  /** As the browser calls it, e.g. "nvidia hopper". */
  name: string;
}

/** Throws, in words for people, where the browser lends none. */
export async function requestGpu(): Promise<Gpu> {
  if (!("Suspending" in WebAssembly)) {
    throw new Error("LiteRT's WebGPU needs a browser whose WebAssembly can wait (JSPI), as Chrome's can");
  }
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("this browser lends no GPU here (WebGPU has no adapter)");
  const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage, maxTextureDimension2D } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: (["shader-f16", "subgroups"] as const).filter((name) => adapter.features.has(name)),
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage, maxTextureDimension2D },
  });
  const { vendor, architecture } = adapter.info;
  return { device, name: [vendor, architecture].filter(Boolean).join(" ") || "unnamed" };
}

export class GpuInterpreter {
  private readonly input: TensorBuffer;
  /** The input's place in the GPU's memory; null where the delegate reads it from the processor's. */
  private readonly uploaded: GPUBuffer | null = null;
  private readonly drawsToHost: boolean;

  static async open(runtime: Runtime, content: Uint8Array, { device }: Gpu): Promise<GpuInterpreter> {
    return new GpuInterpreter(runtime, device, await runtime.compile(content, "webgpu"));
  }

  private constructor(
    private readonly runtime: Runtime,
    private readonly device: GPUDevice,
    private readonly file: Compiled,
  ) {
    const { wasm, environment } = runtime;
    const { model, compiled } = file;
    const { HOST_MEMORY, WEB_GPU_BUFFER_PACKED } = wasm.LiteRtTensorBufferType;
    const takes = (requirements: ReturnType<typeof compiled.getInputBufferRequirements>) =>
      requirements.supportedTypes().get(0).value === HOST_MEMORY.value;
    this.drawsToHost = takes(compiled.getOutputBufferRequirements(0, 0));
    const type = model.getInputTensorType(0, 0);
    if (takes(compiled.getInputBufferRequirements(0, 0))) {
      this.input = wasm.LiteRtTensorBuffer.createManaged(environment, HOST_MEMORY, type, type.bytes());
    } else {
      const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | GPUBufferUsage.STORAGE;
      this.uploaded = device.createBuffer({ size: type.bytes(), usage });
      const number = wasm.WebGPU.importJsBuffer(this.uploaded);
      this.input = wasm.LiteRtTensorBuffer.createFromWebGpuBuffer(environment, type, WEB_GPU_BUFFER_PACKED, number, type.bytes());
    }
  }

  /** The bytes of the output tensor for those of the input tensor. */
  async run(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const { wasm } = this.runtime;
    const { READ, WRITE } = wasm.LiteRtTensorBufferLockMode;
    if (this.uploaded) {
      this.device.queue.writeBuffer(this.uploaded, 0, bytes);
    } else {
      wasm.HEAPU8.set(bytes, await this.input.lock(WRITE));
      await this.input.unlock();
    }
    const [output, ...others] = await this.file.compiled.run(0, [this.input]);
    let answer: Uint8Array<ArrayBuffer>;
    if (this.drawsToHost) {
      const start = await output.lock(READ);
      answer = wasm.HEAPU8.slice(start, start + output.packedSize());
      await output.unlock();
    } else {
      answer = await this.download(wasm.WebGPU.getJsObject(output.getWebGpuBuffer()), output.packedSize());
    }
    for (const buffer of [output, ...others]) buffer.delete();
    return answer;
  }

  private async download(drawn: GPUBuffer, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const readable = this.device.createBuffer({ size: drawn.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const commands = this.device.createCommandEncoder();
    commands.copyBufferToBuffer(drawn, 0, readable, 0, drawn.size);
    this.device.queue.submit([commands.finish()]);
    await readable.mapAsync(GPUMapMode.READ);
    const answer = new Uint8Array(readable.getMappedRange().slice(0, bytes));
    readable.destroy();
    return answer;
  }
}
