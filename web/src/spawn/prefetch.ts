import { useEffect } from "preact/hooks";
import { page } from "../page";

const kinds: Record<string, string> = { js: "script", css: "style", woff: "font", woff2: "font" };

function linkTo(url: string): HTMLLinkElement {
  const link = document.createElement("link");
  link.rel = "prefetch";
  link.as = kinds[url.split("?")[0]?.split(".").pop() ?? ""] ?? "";
  link.href = url;
  return link;
}

// Asks ahead for what JupyterLab will load first, from the proxy, while the container boots. The browser does it
// with what nothing else needs, and gives up what is left when this page goes or `wanted` ends.
export function usePrefetch(wanted: boolean): void {
  useEffect(() => {
    if (!wanted) return;
    const links = (page.data.prefetch ?? []).map(linkTo);
    document.head.append(...links);
    return () => links.forEach((link) => link.remove());
  }, [wanted]);
}
