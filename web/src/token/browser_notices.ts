// Notices of this browser (Web Push): whether it can, and switching them on and off.
import { api } from "../api";
import { me, page } from "../page";

export const browserCan = (): boolean =>
  window.isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

const registration = () => navigator.serviceWorker.getRegistration(page.hub);

// Where this browser takes notices of this hub; undefined when it takes none.
export async function endpointHere(): Promise<string | undefined> {
  if (!browserCan()) return undefined;
  return (await (await registration())?.pushManager.getSubscription())?.endpoint;
}

export async function switchOn(key: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted")
    throw new Error("The browser does not allow notices of this page. Allow them in its settings.");
  await navigator.serviceWorker.register(`${page.hub}notices_worker.js`, { scope: page.hub });
  const worker = await navigator.serviceWorker.ready;
  const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) });
  await api.addBrowser(me, subscription.toJSON());
}

export async function switchOff(): Promise<void> {
  const subscription = await (await registration())?.pushManager.getSubscription();
  if (!subscription) return;
  await api.removeBrowser(me, subscription.endpoint);
  await subscription.unsubscribe();
}
