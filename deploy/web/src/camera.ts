// The camera, frame by frame, where there is one and the person allows it.

import { reason } from "./document";
import { button, h, nextFrame } from "./elements";

type Frame = HTMLVideoElement & { width: number; height: number };

interface Events {
  onFrame(video: Frame): void;
  /** The last frame, before the camera goes off. */
  onEnd(video: Frame): void;
  onProblem(problem: string): void;
}

/** A button that starts and stops it; nothing where the browser has no camera to offer. */
export function camera({ onFrame, onEnd, onProblem }: Events): HTMLElement[] {
  if (!navigator.mediaDevices?.getUserMedia) return [];
  let isOn = false;
  const toggle = button("Use the camera", async () => {
    isOn = !isOn;
    if (!isOn) return; // the loop below ends
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      toggle.textContent = "Take this picture";
      const video = await play(stream);
      while (isOn) {
        onFrame(video);
        await nextFrame();
      }
      onEnd(video);
      stream.getTracks().forEach((track) => track.stop());
    } catch (error) {
      isOn = false;
      onProblem(`The camera does not start (${reason(error)}).`);
    }
    toggle.textContent = "Use the camera";
  });
  return [toggle];
}

async function play(stream: MediaStream): Promise<Frame> {
  const video = h("video", { muted: true, playsinline: true });
  video.srcObject = stream;
  await video.play();
  [video.width, video.height] = [video.videoWidth, video.videoHeight];
  return video;
}
