import { useEffect, useRef, useState } from "preact/hooks";
import { api, serverApi } from "../api";
import type { ProgressEvent } from "../models";
import { page } from "../page";
import { failureParts } from "../servers";

export interface Step {
  text: string;
  at: number;
}

export interface Progress {
  phase: "going" | "ready" | "failed" | "idle";
  percent: number;
  steps: Step[];
  began: number;
  ended?: number;
  url?: string;
  failure?: string;
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
  const known = headline === "" || progress.steps[progress.steps.length - 1]?.text === headline;
  return { ...progress, percent, steps: known ? progress.steps : [...progress.steps, { text: headline, at: now }] };
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

    // The stream is refused when the server neither starts nor failed: it is ready, or nothing happens.
    const settle = async () => {
      const user = await api.user(owner).catch(() => undefined);
      if (over) return;
      const server = user?.servers?.[name];
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
