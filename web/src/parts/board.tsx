// The GPU board lies in a script of its own, because of its plots: it is fetched where it is shown, and nowhere else.
import type { ComponentType } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Fragment, jsx, jsxs } from "preact/jsx-runtime";
import { page } from "../page";
import { Loading } from "./parts";

declare global {
  var berthShared: Record<string, unknown> | undefined;  // what the two scripts must have in common
  var berthBoard: ComponentType | undefined;
}

let loading: Promise<ComponentType> | undefined;

function load(): Promise<ComponentType> {
  globalThis.berthShared = {
    "preact/hooks": { useCallback, useEffect, useRef, useState }, "preact/jsx-runtime": { Fragment, jsx, jsxs } };
  return (loading ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = page.board;
    script.onload = () => (globalThis.berthBoard ? done(globalThis.berthBoard) : fail(new Error("empty")));
    script.onerror = () => {
      loading = undefined;
      script.remove();
      fail(new Error("not loaded"));
    };
    document.head.append(script);
  }));
}

export function GpuBoard() {
  const [board, setBoard] = useState<{ Body: ComponentType }>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    load().then((Body) => setBoard({ Body }), () => setError("The board could not be loaded. Reload the page."));
  }, []);
  return board === undefined ? <Loading error={error} /> : <board.Body />;
}
