// Tells the people in JupyterLab 4 (and Notebook 7) what Berth tells them on its home page: that their server is
// about to be stopped. A prebuilt extension as Lab loads it (module federation), without a build and without
// dependencies: all it needs is Lab's own notifications. It asks the hub, with the token that Lab has for the
// visitor's requests to this server; that can see this server's end and hold it off, and nothing else.
(() => {
  "use strict";
  const element = document.getElementById("jupyter-config-data");
  const config = element === null ? {} : JSON.parse(element.textContent);
  const KEEP = "berth:keep-running";
  const WHY = {
    idle: "nothing has been done in it for a while",
    max_age: "it has run for as long as it may",
    reclaim: "its GPU has not been used for a while, and somebody waits for one",
    preempted: "somebody with a better claim waits for its GPU",
    drain: "its GPU goes out of service",
    lease: "the time of its GPU is over then",
  };

  // ".../hub/api/berth/users/ann/servers/gpu/": names are escaped in baseUrl as they must be here.
  function address() {
    const hub = config.hubPrefix ?? "";
    const prefix = hub.replace(/hub\/$/, "") + "user/";
    if (hub === "" || !config.token || !config.baseUrl?.startsWith(prefix)) return undefined;
    const [user, server = ""] = config.baseUrl.slice(prefix.length).split("/");
    return `${config.hubHost ?? ""}${hub}api/berth/users/${user}/servers/${server}/`;
  }

  async function ask(method, url) {
    const answer = await fetch(url, { method, headers: { Authorization: `token ${config.token}` }, credentials: "omit" });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.message ?? `The hub answered ${answer.status}.`);
    return body;
  }

  function lasting(seconds) {
    if (seconds < 120) return `${seconds} seconds`;
    if (seconds < 7200) return `${Math.round(seconds / 60)} minutes`;
    return `${Math.round(seconds / 3600)} hours`;
  }

  function sentence(ending) {
    const advice = ending.extensions_left > 0 ? "" : ` ${ending.no_extension ?? ""} Save your work.`;
    return `This server stops in ${lasting(ending.seconds_left)}: ${WHY[ending.because] ?? "the hub ends it"}.${advice}`;
  }

  // People are told again 15 and 5 minutes before, also when they have closed what told them before.
  const stageOf = (ending) => [900, 300].filter((limit) => ending.seconds_left <= limit).length;

  function activate(app) {
    const url = address();
    if (url === undefined) return;
    const say = (message, type, more) => app.commands.execute("apputils:notify", { message, type, options: more });
    let shown;   // the notification's id
    let stage = 0;
    let told = "";  // what was said of its GPUs last
    let timer;

    async function show(ending) {
      if (stageOf(ending) > stage) await hide();
      stage = stageOf(ending);
      const actions = ending.extensions_left > 0 ? [{ label: "Keep running", commandId: KEEP, displayType: "accent" }] : [];
      const message = sentence(ending);
      if (shown === undefined) shown = await say(message, "warning", { autoClose: false, actions });
      else await app.commands.execute("apputils:update-notification", { id: shown, message, type: "warning" });
    }
    async function hide() {
      if (shown === undefined) return;
      const id = shown;
      shown = undefined;
      await app.commands.execute("apputils:dismiss-notification", { id });
    }
    // Once for each start of the server, however often the page is loaded.
    async function advise(hint) {
      if (!hint || localStorage.getItem("berth:hint") === `${url} ${hint}`) return;
      localStorage.setItem("berth:hint", `${url} ${hint}`);
      await say(hint, "info", { autoClose: false });
    }
    // About its GPUs, without an end that is near: said once.
    async function tell(notice) {
      if (notice === told) return;
      told = notice;
      if (notice !== "") await say(notice, "warning", { autoClose: false });
    }
    async function look() {
      clearTimeout(timer);
      let pause = 60;
      try {
        const answer = await ask("GET", url + "ending");
        pause = answer.ask_again_seconds;
        if (answer.ending === null) stage = 0;
        await (answer.ending === null ? hide() : show(answer.ending));
        await advise(answer.hint);
        await tell(answer.notice ?? "");
      } catch {
        // The hub restarts, or this sign-in is over: Lab says the latter itself.
      }
      timer = setTimeout(look, pause * 1000);
    }
    app.commands.addCommand(KEEP, {
      label: "Keep This Server Running",
      execute: async () => {
        try {
          const answer = await ask("POST", url + "keep_running");
          await hide();
          await say(answer.message, "success", { autoClose: 10000 });
        } catch (failure) {
          await say(failure.message, "error", { autoClose: 20000 });
        }
        await look();
      },
    });
    void app.restored.then(look);
  }

  const plugin = {
    id: "berth-notice:plugin",
    description: "Shows when the hub is about to stop this server.",
    autoStart: true,
    activate,
  };
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["berth-notice"] = { init: () => {}, get: async () => () => ({ __esModule: true, default: plugin }) };
})();
