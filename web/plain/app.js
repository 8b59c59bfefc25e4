// The one plain page of a build without Node: see, start and stop a server. Everything else is in the full build.
"use strict";

(() => {
  const info = JSON.parse(document.getElementById("berth-data").textContent);
  const root = document.getElementById("app");
  const own = info.data.user ?? info.user;
  const name = info.data.server_name ?? "";
  const server = `users/${encodeURIComponent(own)}/servers/${encodeURIComponent(name)}`;

  const call = async (method, path, body) => {
    const headers = { Accept: "application/json", "X-Xsrftoken": info.xsrf };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(info.hub + "api/" + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    const value = text ? JSON.parse(text) : null;
    if (!answer.ok) throw new Error(value?.message ?? `The hub answered ${answer.status}.`);
    return value;
  };
  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const title = element("h1", "Your server");
  const status = element("p", "Loading…");
  status.setAttribute("role", "status");
  const actions = element("div", "", "row");
  root.replaceChildren(element("div", "", "stack"));
  root.firstChild.append(title, status, actions);
  const button = (label, act) => {
    const made = element("button", label, "btn btn-primary");
    made.type = "button";
    made.addEventListener("click", () => {
      made.disabled = true;
      Promise.resolve(act()).catch((error) => {
        made.disabled = false;
        status.textContent = error.message;
      });
    });
    return made;
  };

  const follow = () => {
    title.textContent = "Starting your server";
    actions.replaceChildren(button("Stop", () => call("DELETE", server).then(show)));
    const source = new EventSource(`${info.hub}api/${server}/progress?_xsrf=${encodeURIComponent(info.xsrf)}`);
    source.onmessage = (message) => {
      const event = JSON.parse(message.data);
      status.textContent = event.message;
      if (event.ready || event.failed) source.close();
      if (event.ready) location.replace(info.data.next || event.url);
      if (event.failed) actions.replaceChildren(button("Try again", () => show()));
    };
    source.onerror = () => {
      source.close();
      setTimeout(show, 1000);
    };
  };
  const start = async () => {
    const chosen = Object.fromEntries([...actions.querySelectorAll("select")].map((select) => [select.name, select.value]));
    const answer = call("POST", server, chosen.profile ? { user_options: chosen } : undefined);
    await Promise.race([answer, new Promise((done) => setTimeout(done, 500))]);
    answer.catch((error) => (status.textContent = error.message));
    follow();
  };
  const show = async () => {
    const user = await call("GET", `users/${encodeURIComponent(own)}?include_stopped_servers=1`);
    const found = user.servers?.[name];
    if (found?.pending === "stop") {
      title.textContent = "Stopping your server";
      status.textContent = found.berth?.stop_delayed ?? "It stops.";
      actions.replaceChildren();
      setTimeout(() => show().catch((error) => (status.textContent = error.message)), 1000);
      return;
    }
    if (found?.pending) return follow();
    title.textContent = name ? `Server ${name}` : "Your server";
    if (found?.ready) {
      status.textContent = "It runs.";
      const open = element("a", "Open", "btn btn-primary");
      open.href = found.url;
      actions.replaceChildren(open, button("Stop", () => call("DELETE", server).then(show)));
      return;
    }
    status.textContent = info.data.error || "It is not running.";
    const query = `user=${encodeURIComponent(own)}&server=${encodeURIComponent(name)}`;
    const profiles = await call("GET", `berth/profiles?${query}`);
    const choice = (key, label) => {
      const select = element("select", "", "input");
      select.name = key;
      select.setAttribute("aria-label", label);
      return select;
    };
    const select = choice("profile", "Profile");
    for (const profile of profiles.filter((each) => each.allowed)) {
      const option = element("option", profile.display_name);
      option.value = profile.name;
      option.disabled = !profile.available.fits && !profile.available.wait;
      select.append(option);
    }
    const project = choice("project", "Project");
    for (const each of ["", ...(info.data.projects ?? [])]) {
      const option = element("option", each || "no project");
      option.value = each;
      project.append(option);
    }
    actions.replaceChildren(select, ...(info.data.projects?.length ? [project] : []), button("Start", start));
  };

  if (["token", "admin", "gpus"].includes(info.page)) {
    title.textContent = "Not in this build";
    status.textContent = "Berth was built without Node, so this page is left out. Use the REST API, or build with Node.";
  } else {
    show().catch((error) => (status.textContent = error.message));
  }
})();
