import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { bytes } from "../format";
import type { HistoryModel } from "../models";

interface PlotProps {
  history: HistoryModel;
  uuid: string;
  memory: number | null;  // of the GPU, in bytes
}

const height = 124;
const gutter = 40;  // the axis, as wide as the strip above is indented (5-board.css, --gutter); on a phone there is none
const gutterIn = (width: number): number => (width < 480 ? 0 : gutter);
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const percent = (value: number | null | undefined): string => (value == null ? "not read" : `${Math.round(value)} %`);

// Colours are the page's: read again whenever the theme changes.
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function dataOf({ history, uuid, memory }: PlotProps): [number[], (number | null)[], (number | null)[]] {
  const { utilization: load = [], used_memory_bytes: used = [] } = history.series[uuid] ?? {};
  const begin = Date.parse(history.series_from) / 1000;
  const scale = (value: number | null | undefined, by: number) => (value == null ? null : value * by);
  return [load.map((_, at) => begin + at * history.step_seconds), load.map((value) => scale(value, 100)),
    load.map((_, at) => scale(used[at], memory ? 100 / memory : 0))];
}

function optionsFor(props: PlotProps, width: number, onCursor: (index: number | null) => void): uPlot.Options {
  const text = colour("--muted");
  const grid = { stroke: colour("--border"), width: 1 };
  const font = `11px ${colour("--font")}`;
  return {
    width,
    height,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "gpus" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { range: [Date.parse(props.history.from) / 1000, Date.parse(props.history.to) / 1000] },
      y: { range: [0, 100] },
    },
    axes: [
      { stroke: text, font, grid, ticks: { show: false }, size: 24, gap: 6, space: 72,
        values: (_, at) => at.map((each) => clock.format(each * 1000)) },
      { stroke: text, font, grid, ticks: { show: false }, size: gutterIn(width), gap: 6, splits: [0, 50, 100],
        values: (_, at) => at.map((each) => (each === 50 || gutterIn(width) === 0 ? "" : `${each}%`)) },
    ],
    series: [
      {},
      { label: "Utilisation", stroke: colour("--use-busy"), fill: colour("--plot-fill"), width: 1.5, points: { show: false } },
      { label: "Memory", stroke: colour("--plot-memory"), width: 1.5, dash: [4, 3], points: { show: false } },
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

function useThemeTurn(): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const next = () => setTurn((old) => old + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(next);
    system.addEventListener("change", next);
    chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      system.removeEventListener("change", next);
      chosen.disconnect();
    };
  }, []);
  return turn;
}

function meanOf(values: readonly (number | null)[]): string {
  const read = values.filter((value): value is number => value !== null);
  return read.length === 0 ? "not read" : `${Math.round(read.reduce((sum, value) => sum + value, 0) / read.length)} % on average, at most ${Math.round(Math.max(...read))} %`;
}

// Utilisation and memory of one GPU over 24 hours. The pointer is followed on all of them at once.
export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const [index, setIndex] = useState<number | null>(null);
  const turn = useThemeTurn();
  const data = dataOf(props);
  const latest = useRef({ props, data });
  latest.current = { props, data };

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const made = new uPlot(optionsFor(latest.current.props, element.clientWidth, setIndex), latest.current.data, element);
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      made.destroy();
    };
  }, [turn, props.history.from]);

  const [at, load, memory] = data;
  const moment = index === null ? undefined : at[index];
  return (
    <div class="plot">
      <p class="plot-now num" aria-hidden="true">
        <span class="key key-load">Utilisation{moment !== undefined && ` ${percent(load[index ?? 0])}`}</span>
        <span class="key key-memory">
          Memory{moment !== undefined && (props.memory === null ? "" : ` ${memory[index ?? 0] == null ? "not read" : bytes(((memory[index ?? 0] ?? 0) * props.memory) / 100)}`)}
        </span>
        {moment !== undefined && <span class="plot-at">{clock.format(moment * 1000)}</span>}
      </p>
      <div ref={box} role="img" aria-label={`Utilisation ${meanOf(load)}. Memory ${meanOf(memory)}.`} />
    </div>
  );
}
