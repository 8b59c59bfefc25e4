import { useEffect, useState } from "preact/hooks";
import { api, messageOf } from "../api";
import { lasting } from "../format";
import { useNow } from "../live";
import { me, page, spawnUrl } from "../page";
import { Icon } from "../parts/icons";
import { Note } from "../parts/parts";
import { tell } from "../parts/toast";
import type { Progress, Step } from "./progress";
import { usePrefetch } from "./prefetch";
import { useProgress } from "./progress";

interface PendingProps {
  owner: string;
  name: string;
  title: string;
  refusal?: string | undefined;  // what the start request itself was answered with, if it failed
}

function headline(phase: Progress["phase"] | "stopped", title: string): string {
  const what = title === "" ? "your server" : title;
  switch (phase) {
    case "going": return `Starting ${what}`;
    case "ready": return `Opening ${what}`;
    case "failed": return `Could not start ${what}`;
    case "stopping": return `Stopping ${what}`;
    case "stopped": return `Stopped ${what}`;
    case "idle": return "Nothing is starting";
  }
}

// Steps that had happened when the page came are told all at once; when they did is then not known.
function timeOf(step: Step, progress: Progress): string {
  const seconds = (step.at - progress.began) / 1000;
  return seconds < 0.3 ? "" : `${seconds.toFixed(1)} s`;
}

function Steps({ steps, progress }: { steps: readonly Step[]; progress: Progress }) {
  return (
    <ol class="steps" aria-label="Steps" role="log">
      {steps.map((step, at) => {
        const last = at === steps.length - 1;
        const going = last && progress.phase === "going";
        const failed = last && progress.phase === "failed";
        return (
          <li key={at} class={going ? "is-now" : failed ? "is-failed" : "is-done"}>
            {going ? <span class="spinner" /> : <Icon name={failed ? "alert" : "check"} />}
            <span>{step.text}</span>
            <span class="num small muted">{timeOf(step, progress)}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Failed({ failure, log }: { failure: string; log: readonly string[] }) {
  return (
    <>
      <Note tone="danger">{failure}</Note>
      {log.length > 0 && (
        <div class="stack-s">
          <h2 id="log-title">Last lines of its log</h2>
          <pre class="log" tabIndex={0} aria-labelledby="log-title">{log.join("\n")}</pre>
        </div>
      )}
    </>
  );
}

export function Pending({ owner, name, title, refusal }: PendingProps) {
  const [turn, setTurn] = useState(0);
  const [stopped, setStopped] = useState(false);
  const [refused, setRefused] = useState<string>();
  const progress = useProgress(owner, name, turn);
  const now = useNow(500);
  const failure = progress.phase === "failed" ? progress.failure : progress.phase === "idle" ? refused ?? refusal : undefined;
  const phase = stopped ? "stopped" : failure !== undefined ? "failed" : progress.phase;

  usePrefetch(phase === "going" && progress.percent >= 50);
  useEffect(() => {
    if (progress.phase === "ready") location.replace(page.data.next || progress.url || `${page.hub}home`);
  }, [progress.phase]);

  const stop = async () => {
    try {
      await api.stop(owner, name);
      setStopped(true);
    } catch (error) {
      tell(messageOf(error), true);
    }
  };
  const retry = () => {
    setRefused(undefined);
    setStopped(false);
    // Told only when the stream has nothing better: the hub answers 500 to the same failure that the stream explains.
    api.start(owner, name).catch((error: unknown) => setRefused(messageOf(error)));
    setTimeout(() => setTurn((old) => old + 1), 150);
  };

  return (
    <div class="page-narrow card progress-card">
      <div class="progress-head">
        <h1>{headline(phase, title)}</h1>
        <span class="muted num nowrap">{lasting((progress.ended ?? now) - progress.began)}</span>
      </div>
      {owner !== me && <p class="lead">For {owner}.</p>}
      {phase === "going" && (
        <div class="meter" role="progressbar" aria-label="Start" aria-valuemin={0} aria-valuemax={100}
          aria-valuenow={progress.percent}>
          <span style={{ width: `${Math.max(3, progress.percent)}%` }} />
        </div>
      )}
      {progress.steps.length > 0 && phase !== "idle" && phase !== "stopping" && <Steps steps={progress.steps} progress={progress} />}
      {phase === "going" && progress.steps.at(-1)?.waits === "gpu" && (
        <Note tone="info">
          You can close this page: your place stays, and the server starts by itself when a GPU is free. Stop gives it up.
        </Note>
      )}
      {phase === "failed" && <Failed failure={failure ?? ""} log={progress.log} />}
      {phase === "stopping" && (progress.delayed ? <Note tone="warning">{progress.delayed}</Note> : <span class="spinner" />)}
      {phase === "idle" && <p class="lead">The server is not running. Start it when you are ready.</p>}
      <div class="row">
        {phase === "going" && <button type="button" id="stop" class="btn" onClick={stop}><Icon name="stop" />Stop</button>}
        {phase === "ready" && progress.url && <a class="btn btn-primary" href={page.data.next || progress.url}>Open</a>}
        {(phase === "failed" || phase === "stopped" || phase === "idle") && (
          <>
            <button type="button" class="btn btn-primary" onClick={retry}>{phase === "idle" ? "Start" : "Try again"}</button>
            <a class="btn" href={spawnUrl(owner, name)}>Change options</a>
          </>
        )}
        {phase !== "going" && phase !== "ready" && <a class="btn btn-quiet" href={`${page.hub}home`}>All servers</a>}
      </div>
    </div>
  );
}
