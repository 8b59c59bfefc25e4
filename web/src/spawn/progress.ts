import { useEffect, useRef, useState } from "preact/hooks";
import { api, serverApi } from "../api";
import type { ProgressEvent } from "../models";
import { page } from "../page";
import { failureParts } from "../servers";

export interface Step {
  text: string;
  at: number;
  waits?: "turn" | "gpu" | undefined;  // tells a position in the line; the next position takes its place
}

export interface Progress {
  phase: "going" | "ready" | "failed" | "stopping" | "idle";
  percent: number;
  steps: Step[];
  began: number;
  ended?: number;
  url?: string;
  failure?: string;
  delayed?: string;  // why it is still stopping
  log: string[];
}

const linesOf = (log: string | string[] | undefined): string[] =>
  log === undefined ? [] : Array.isArray(log) ? log : log.split("\n");

const fresh = (): Progress => ({ phase: "going", percent: 0, steps: [], began: Date.now(), log: [] });

// What came before, and one more event. A message said twice in a row is one step.
export function after(progress: Progress, event: ProgressEvent, now = Date.now()): Progress {
  const percent = Math.max(progress.percent, event.progress ?? 0);
  if (event.failed) {
    const { sentence, log } = failureParts(event.message ?? "");
    return { ...progress, phase: "failed", ended: now, failure: sentence, log: [...log, ...linesOf(event.log)] };
  }
  if (event.ready) return { ...progress, phase: "ready", percent: 100, ended: now, url: event.url ?? "" };
  const headline = event.message ?? "";
  const last = progress.steps[progress.steps.length - 1];
  if (headline === "" || last?.text === headline) return { ...progress, percent };
  const waits = event.position === undefined ? undefined : event.waits_for ?? "turn";
  const before = waits && last?.waits ? progress.steps.slice(0, -1) : progress.steps;
  return { ...progress, percent, steps: [...before, { text: headline, at: waits && last?.waits ? last.at : now, waits }] };
}

// Follows the progress stream (hub-protocol §9.5) and, should it break, asks for the server's state instead. `turn` starts it over.
export function useProgress(owner: string, name: string, turn: number): Progress {
  const [progress, setProgress] = useState(fresh);
  const tries = useRef(0);
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    setProgress(fresh());
    tries.current = 0;

    // The stream is refused when the server neither starts nor failed: it is ready, it stops, or nothing happens.
    const settle = async () => {
      const user = await api.user(owner).catch(() => undefined);
      if (over) return;
      const server = user?.servers?.[name];
      if (server?.pending === "stop") {
        const delayed = server.berth?.stop_delayed ?? "";
        setProgress((old) => ({ ...old, phase: "stopping", delayed }));
        tries.current = 3;
        timer = setTimeout(settle, 1000);
        return;
      }
      const settled = user !== undefined && server?.pending !== "spawn" && ++tries.current > 3;
      if (server?.ready) setProgress((old) => after(old, { ready: true, url: server.url }));
      else if (settled) setProgress((old) => ({ ...old, phase: "idle" }));
      else timer = setTimeout(open, 300);
    };
    const open = () => {
      source = new EventSource(`${page.hub}api/${serverApi(owner, name)}/progress?_xsrf=${encodeURIComponent(page.xsrf)}`);
      source.onmessage = (message: MessageEvent<string>) => {
        const event = JSON.parse(message.data) as ProgressEvent;
        if (event.ready || event.failed) source?.close();
        setProgress((old) => after(old, event));
      };
      source.onerror = () => {
        source?.close();
        void settle();
      };
    };
    open();
    return () => {
      over = true;
      source?.close();
      clearTimeout(timer);
    };
  }, [owner, name, turn]);
  return progress;
}
