// The hub's word that GPUs, leases or the queue have changed (src/api/gpu_events.cpp). A hidden tab does not listen.
import { useEffect, useRef, useState } from "preact/hooks";
import { urlOf } from "./api";

export type Change = "devices" | "leases" | "queue";

const pause = 15000;  // before a stream that was refused is asked for again

// Calls `onChange` with what changed. True while the stream stands: nothing has to be asked again and again.
export function useGpuEvents(onChange: (changed: readonly Change[]) => void): boolean {
  const [live, setLive] = useState(false);
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const close = () => {
      clearTimeout(timer);
      source?.close();
      source = undefined;
      setLive(false);
    };
    const open = () => {
      close();
      if (document.hidden) return;
      source = new EventSource(urlOf("berth/gpu/events"));
      source.onopen = () => setLive(true);
      source.onmessage = (message: MessageEvent<string>) =>
        latest.current((JSON.parse(message.data) as { changed: Change[] }).changed);
      // The browser comes back by itself unless it was refused.
      source.onerror = () => {
        setLive(false);
        if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, pause);
      };
    };
    open();
    document.addEventListener("visibilitychange", open);
    return () => {
      document.removeEventListener("visibilitychange", open);
      close();
    };
  }, []);
  return live;
}
