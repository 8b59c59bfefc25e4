import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "./api";

export interface Live<T> {
  value: T | undefined;
  error: string | undefined;
  refresh: () => Promise<void>;
}

// Asks again every `interval` milliseconds (by the last answer, if a function), and at once when the tab comes back. A hidden
// tab asks nothing. An answer that was overtaken by a newer question is dropped.
export function useLive<T>(ask: () => Promise<T>, interval: number | ((value: T | undefined) => number)): Live<T> {
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<string>();
  const latest = useRef({ value, asked: 0 });
  latest.current.value = value;

  const refresh = useCallback(async () => {
    const turn = ++latest.current.asked;
    try {
      const answer = await ask();
      if (turn !== latest.current.asked) return;
      setValue(() => answer);
      setError(undefined);
    } catch (failure) {
      if (turn === latest.current.asked) setError(messageOf(failure));
    }
  }, [ask]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const loop = async () => {
      if (!document.hidden) await refresh();
      if (stopped) return;
      const pause = typeof interval === "function" ? interval(latest.current.value) : interval;
      timer = setTimeout(loop, pause);
    };
    const onVisible = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      void loop();
    };
    void loop();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      stopped = true;
      clearTimeout(timer);
      latest.current.asked++;
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [refresh]);

  return { value, error, refresh };
}

// The time, every `interval` milliseconds: for durations on the page.
export function useNow(interval: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), interval);
    return () => clearInterval(timer);
  }, [interval]);
  return now;
}
