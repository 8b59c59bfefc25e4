import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Gpus } from "../gpus/gpus";
import { Servers } from "./servers";
import { Users } from "./users";

const tabs: { id: string; label: string; body: ComponentType }[] = [
  { id: "users", label: "Users", body: Users },
  { id: "servers", label: "Servers", body: Servers },
  { id: "gpus", label: "GPUs", body: Gpus },
];

const fromAddress = (): string => tabs.find((tab) => `#${tab.id}` === location.hash)?.id ?? "users";

// The tab is in the address, so that it can be linked and survives a reload.
export function Admin() {
  const [current, setCurrent] = useState(fromAddress);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const follow = () => setCurrent(fromAddress());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  const choose = (id: string) => {
    history.replaceState(null, "", `#${id}`);
    setCurrent(id);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = (tabs.findIndex((tab) => tab.id === current) + step + tabs.length) % tabs.length;
    choose(tabs[at]?.id ?? "users");
    list.current?.querySelectorAll("button")[at]?.focus();
  };
  const Body = tabs.find((tab) => tab.id === current)?.body ?? Users;

  return (
    <>
      <div class="page-head"><h1>Admin</h1></div>
      <div class="tabs" role="tablist" aria-label="Administration" ref={list} onKeyDown={onKeyDown}>
        {tabs.map((tab) => (
          <button type="button" role="tab" key={tab.id} id={`tab-${tab.id}`} aria-controls="tab-body"
            aria-selected={tab.id === current} tabIndex={tab.id === current ? 0 : -1} onClick={() => choose(tab.id)}>
            {tab.label}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-body" aria-labelledby={`tab-${current}`}><Body /></div>
    </>
  );
}
