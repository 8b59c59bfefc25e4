// What every page does with its own hands: the theme toggle, copy buttons, and forms that are sent once.
"use strict";

(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

  for (const toggle of document.querySelectorAll(".theme-toggle")) {
    toggle.hidden = false;
    const name = () => toggle.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
    name();
    toggle.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      const isSystem = (theme === "dark") === system.matches;
      if (isSystem) delete root.dataset.theme;
      else root.dataset.theme = theme;
      try {
        if (isSystem) localStorage.removeItem("berth-theme");
        else localStorage.setItem("berth-theme", theme);
      } catch {
        // Storage may be forbidden; the choice then lasts for this page.
      }
      name();
    });
  }

  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
      for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
    });
  }
  // Back to a page out of the browser's cache: its form may be sent again.
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-once]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button[type=submit]")) button.removeAttribute("aria-disabled");
    }
  });
})();
