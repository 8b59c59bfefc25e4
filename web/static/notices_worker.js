// Shows notices of the hub while no page of it is open, and opens the page that one is about.
self.addEventListener("push", (event) => {
  let notice = {};
  try {
    notice = event.data?.json() ?? {};
  } catch {
    // Not from this hub: shown without words of its own.
  }
  event.waitUntil(self.registration.showNotification(notice.title ?? "News of your server", {
    body: notice.text ?? "",
    data: { url: notice.url },
    tag: notice.event,
    renotify: notice.event !== undefined,
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data?.url;
  if (url && new URL(url).origin === self.location.origin) event.waitUntil(self.clients.openWindow(url));
});
