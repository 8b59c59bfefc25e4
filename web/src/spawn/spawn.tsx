import { useCallback, useEffect, useState } from "preact/hooks";
import { api, messageOf } from "../api";
import { useLive } from "../live";
import type { ProfileModel } from "../models";
import { me, page, pendingUrl } from "../page";
import { Icon } from "../parts/icons";
import { Loading, Note } from "../parts/parts";
import { GpuCount } from "./gpu_count";
import { Pending } from "./pending";
import { ProfileCard, canStart, mustWait } from "./profile_card";
import { Project, projects } from "./project";

const owner = page.data.user ?? me;
const name = page.data.server_name ?? "";
const title = page.data.display_name || name;

// A start that was sent off. The hub refuses within this time or it has begun.
const refusalWindow = 400;

interface Choice {
  profile: string;
  gpus: number;
}

// What was chosen if it still can be started, else the first that can.
function effective(profiles: readonly ProfileModel[], wish: Choice | undefined): Choice | undefined {
  const wished = profiles.find((each) => each.name === wish?.profile && canStart(each));
  const profile = wished ?? profiles.find(canStart);
  if (profile === undefined) return undefined;
  const { free_gpus: free, total_gpus: total, wait } = profile.available;
  const most = Math.min(profile.max_gpus, Math.max(profile.gpus, wait === null ? free : total));
  const gpus = wished && wish ? Math.min(wish.gpus, most) : profile.gpus;
  return { profile: profile.name, gpus };
}

export function Spawn() {
  const [project, setProject] = useState("");
  const profiles = useLive(useCallback(() => api.profiles(owner, name, project), [project]), 5000);
  const [wish, setWish] = useState<Choice>();
  const [error, setError] = useState(page.data.error || undefined);
  const [sent, setSent] = useState<"no" | "asked" | "begun">("no");
  const [failure, setFailure] = useState<string>();
  const choice = effective(profiles.value ?? [], wish);
  const chosen = profiles.value?.find((each) => each.name === choice?.profile);

  useEffect(() => {
    if (sent === "begun") history.replaceState(null, "", pendingUrl(owner, name));
  }, [sent]);

  const start = (event: Event) => {
    event.preventDefault();
    if (choice === undefined || sent !== "no") return;
    setError(undefined);
    setSent("asked");
    const begun = setTimeout(() => setSent("begun"), refusalWindow);
    const options = { profile: choice.profile, gpus: choice.gpus, ...(project === "" || choice.gpus === 0 ? {} : { project }) };
    api.start(owner, name, options).then(
      () => setSent("begun"),
      (refusal: unknown) => {
        clearTimeout(begun);
        setFailure(messageOf(refusal));
        setSent((now) => (now === "begun" ? now : "no"));
        setError(messageOf(refusal));
      },
    );
  };

  if (sent === "begun") return <Pending owner={owner} name={name} title={title} refusal={failure} />;
  return (
    <form class="page-narrow" id="spawn_form" onSubmit={start}>
      <div class="page-head"><h1>{title === "" ? "Start your server" : `Start ${title}`}</h1></div>
      {owner !== me && <p class="lead">For {owner}.</p>}
      <div class="stack">
        {error !== undefined && <Note tone="danger">{error}</Note>}
        {profiles.value === undefined ? <Loading error={profiles.error} /> : (
          <fieldset class="profiles">
            <legend class="visually-hidden">Profile</legend>
            {profiles.value.map((profile) => (
              <ProfileCard key={profile.name} profile={profile} chosen={profile.name === choice?.profile}
                onChoose={() => setWish({ profile: profile.name, gpus: profile.gpus })} />
            ))}
          </fieldset>
        )}
        {profiles.value?.length === 0 && <Note tone="warning">No profile is set up. Ask an administrator.</Note>}
      </div>
      <div class="submit-bar">
        {chosen && choice && (
          <GpuCount profile={chosen} value={choice.gpus} onChange={(gpus) => setWish({ profile: chosen.name, gpus })} />
        )}
        {chosen && chosen.max_gpus > 0 && projects.length > 0 && <Project value={project} onChange={setProject} />}
        <button type="submit" id="start" class="btn btn-primary" disabled={choice === undefined || sent !== "no"}>
          {sent === "asked" ? <span class="spinner" /> : <Icon name="play" />}
          {chosen && choice && (mustWait(chosen) || choice.gpus > chosen.available.free_gpus) ? "Wait for a GPU" : "Start"}
        </button>
      </div>
    </form>
  );
}
