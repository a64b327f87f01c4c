// Starts the page: document, runtime, then one panel after another.

import { comparePanel } from "./compare";
import { controls } from "./controls";
import { readBlob, readDocument, readsLatents, reason } from "./document";
import { h } from "./elements";
import { checkGolden } from "./golden";
import { gridPanel } from "./grid";
import { Runtime } from "./litert";
import { photoPanel } from "./photo";
import { reportPanel } from "./report";
import { speedPanel } from "./speed";
import { Stage } from "./stage";
import { walkPanel } from "./walk";

async function start(): Promise<void> {
  const gallery = readDocument();
  document.title = `${gallery.title} – pocketgan`;
  element("title").textContent = gallery.title;
  const loader = new TextDecoder().decode(await readBlob("litert.js"));
  const stage = new Stage(gallery, await Runtime.start(loader, await readBlob("litert.wasm")));
  await stage.generator.open();
  const main = element("main");
  main.append(controls(stage, element("lead")));
  if (readsLatents(stage.generator.facts.reads)) {
    const walk = walkPanel(stage);
    main.append(gridPanel(stage), walk.element, ...comparePanel(stage, walk));
  } else {
    const photo = await photoPanel(stage);
    main.append(photo.element, ...comparePanel(stage, photo));
  }
  main.append(speedPanel(stage), ...reportPanel(gallery));
  performance.mark("first-picture");
  // For tests and for the curious: the page's own parts, by name.
  Object.assign(globalThis, { gallery: { stage, document: gallery } });
  document.documentElement.dataset.state = "ready";
  await checkGolden(stage, element("badges"));
  document.documentElement.dataset.golden = "checked";
}

function element(id: string): HTMLElement {
  return document.getElementById(id)!;
}

function showProblem(problem: unknown): void {
  document.documentElement.dataset.state = "failed";
  element("lead").textContent = "";
  element("main").replaceChildren(
    h(
      "div",
      { class: "problem", role: "alert" },
      h("h2", {}, "This page cannot draw"),
      h("p", {}, `${reason(problem)}.`),
      h("p", {}, "Copy the file again from where it came, or write it anew with `pocketgan gallery`. "
        + "It needs a browser from 2023 or later: Chrome or Edge 91, Firefox 113, Safari 16.4."),
    ),
  );
}

start().catch(showProblem);
