// The camera, frame by frame, where there is one and the person allows it.

import { reason } from "./document";
import { button, h, nextFrame } from "./elements";

type Frame = HTMLVideoElement & { width: number; height: number };

/** A button that starts and stops it; nothing where the browser has no camera to offer. */
export function camera(draw: (video: Frame) => void, complain: (problem: string) => void): HTMLElement[] {
  if (!navigator.mediaDevices?.getUserMedia) return [];
  let stream: MediaStream | null = null;
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    toggle.textContent = "Use the camera";
  };
  const toggle = button("Use the camera", async () => {
    if (stream) return stop();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      return complain(`The camera does not start (${reason(error)}).`);
    }
    toggle.textContent = "Stop the camera";
    const video = h("video", { muted: true, playsinline: true });
    video.srcObject = stream;
    await video.play();
    [video.width, video.height] = [video.videoWidth, video.videoHeight];
    while (stream) {
      draw(video);
      await nextFrame();
    }
  });
  return [toggle];
}
