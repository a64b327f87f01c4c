// LiteRT's WebAssembly through its own bindings: its public JavaScript takes no int8 tensors, and
// what runs here is to be the very file that ships.

interface Deletable {
  delete(): void;
}
interface TensorType extends Deletable {
  bytes(): number;
}
export interface TensorBuffer extends Deletable {
  lock(mode: unknown): number;
  unlock(): void;
  packedSize(): number;
  /** Of a tensor in the GPU's memory: the number of its buffer. */
  getWebGpuBuffer(): number;
}
export interface Model extends Deletable {
  getInputTensorType(signature: number, index: number): TensorType;
  getOutputTensorType(signature: number, index: number): TensorType;
}
interface Requirements extends Deletable {
  supportedTypes(): Deletable & { size(): number; get(place: number): { value: number } };
}
export interface CompiledModel extends Deletable {
  /** A promise of them where the GPU draws. */
  run(signature: number, inputs: TensorBuffer[]): TensorBuffer[];
  getInputBufferRequirements(signature: number, index: number): Requirements;
  getOutputBufferRequirements(signature: number, index: number): Requirements;
}
interface Wasm {
  HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(size: number): number;
  _free(address: number): void;
  LiteRtEnvironment: { create(gpu: GPUDevice | null): unknown };
  LiteRtTensorBuffer: {
    createManaged(env: unknown, kind: unknown, type: TensorType, size: number): TensorBuffer;
    createFromWebGpuBuffer(env: unknown, type: TensorType, kind: unknown, buffer: number, size: number): TensorBuffer;
  };
  LiteRtTensorBufferType: { HOST_MEMORY: { value: number }; WEB_GPU_BUFFER_PACKED: { value: number } };
  LiteRtTensorBufferLockMode: { READ: unknown; WRITE: unknown };
  WebGPU: { importJsBuffer(buffer: GPUBuffer): number; getJsObject(buffer: number): GPUBuffer };
  loadModel(env: unknown, address: number, size: number): Model;
  compileModel(env: unknown, model: Model, options: object): CompiledModel | Promise<CompiledModel>;
}
export interface Compiled {
  model: Model;
  compiled: CompiledModel;
}
type Factory = (options: object) => Promise<Wasm>;

export class Runtime {
  private constructor(
    readonly wasm: Wasm,
    readonly environment: unknown,
    private readonly threads: number,
    readonly gpu: GPUDevice | null,
  ) {}

  /**
   * Start it from the text of its loader and its WebAssembly: those with threads for several, those that
   * can wait for a GPU.
   */
  static async start(loader: string, wasmBinary: Uint8Array, threads = 1, gpu: GPUDevice | null = null): Promise<Runtime> {
    if (threads > 1 && !crossOriginIsolated) {
      throw new Error("this browser lends threads only to pages that it isolates: served encrypted, or on loopback");
    }
    const element = document.createElement("script");
    element.textContent = loader;
    document.head.append(element);
    const factory = (globalThis as unknown as { ModuleFactory: Factory }).ModuleFactory;
    // It logs what it does as errors; what matters it throws.
    const quiet = { print: () => {}, printErr: () => {} };
    // Each thread starts from the loader's text, too.
    const workers = threads > 1 ? { mainScriptUrlOrBlob: new Blob([loader], { type: "text/javascript" }) } : {};
    const wasm = await factory({ wasmBinary, ...quiet, ...workers });
    return new Runtime(wasm, wasm.LiteRtEnvironment.create(gpu), threads, gpu);
  }

  /** A .tflite of one input and one output. Throws where it does not load. */
  async open(content: Uint8Array): Promise<Interpreter> {
    return new Interpreter(this, await this.compile(content, "wasm"));
  }

  async compile(content: Uint8Array, accelerator: "wasm" | "webgpu"): Promise<Compiled> {
    if (String.fromCharCode(...content.subarray(4, 8)) !== "TFL3") {
      throw new Error("it is no TensorFlow Lite file");
    }
    const address = this.wasm._malloc(content.length); // the model stays there while it runs
    this.wasm.HEAPU8.set(content, address);
    const model = this.wasm.loadModel(this.environment, address, content.length);
    const options = {
      accelerator,
      cpuOptions: { numThreads: this.threads },
      gpuOptions: {},
      webNNOptions: {},
    };
    return { model, compiled: await this.wasm.compileModel(this.environment, model, options) };
  }
}

export class Interpreter {
  readonly inputBytes: number;
  readonly outputBytes: number;
  private readonly input: TensorBuffer;
  private readonly compiled: CompiledModel;

  constructor(
    private readonly runtime: Runtime,
    { model, compiled }: Compiled,
  ) {
    this.compiled = compiled;
    const { wasm, environment } = runtime;
    const type = model.getInputTensorType(0, 0);
    this.inputBytes = type.bytes();
    this.outputBytes = model.getOutputTensorType(0, 0).bytes();
    const kind = wasm.LiteRtTensorBufferType.HOST_MEMORY;
    this.input = wasm.LiteRtTensorBuffer.createManaged(environment, kind, type, this.inputBytes);
  }

  /** The bytes of the output tensor for those of the input tensor. */
  run(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    if (bytes.length !== this.inputBytes) {
      throw new Error(`the file takes ${this.inputBytes} bytes, and was given ${bytes.length}`);
    }
    const { wasm } = this.runtime;
    const { READ, WRITE } = wasm.LiteRtTensorBufferLockMode;
    wasm.HEAPU8.set(bytes, this.input.lock(WRITE));
    this.input.unlock();
    const [output, ...others] = this.compiled.run(0, [this.input]);
    const start = output.lock(READ);
    const answer = wasm.HEAPU8.slice(start, start + output.packedSize());
    output.unlock();
    for (const buffer of [output, ...others]) buffer.delete();
    return answer;
  }
}
