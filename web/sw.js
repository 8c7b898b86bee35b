// The service worker: hands clicks on notifications to a tab of the user they were shown to, or opens one (D1, D3).
//
// It decides nothing. A click is kept in IndexedDB until a tab says that it has taken it, so that it survives whatever
// dies meanwhile. An app with a service worker of its own takes this in by `importScripts(".../sw.js")`.
//
// From pages: {ringback: "clicks", user} is answered with the list of what is kept for that user, and
// {ringback: "taken", ids} forgets it. To pages: {ringback: "whose", user}, to be answered with the tab's id by a page
// in which that user is signed in, with null by any other; and on the user's channel {type: "clicked", tab}.
"use strict";

(() => {
  const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
  /** How long a click waits for a tab, in ms (D3); a dismissal waits for as long as it takes. */
  const CLICK_LIVES_MS = 60_000;
  /** How many are kept; beyond it the oldest goes. */
  const MOST_KEPT = 200;
  /** How long a page has to say whose it is, in ms; a frozen one never does. */
  const ANSWER_MS = 500;

  /**
   * What a notification carries, set by notifications.js.
   * @typedef {{user: string, page: string, click: unknown}} Shown
   * @typedef {{id?: number, user: string, kind: "click" | "dismiss", action: string, at: number, click: unknown}} Kept
   */

  worker.addEventListener("notificationclick", (event) => {
    const shown = shownBy(event.notification);
    if (!shown) return;
    event.notification.close();
    event.waitUntil(clicked(shown, event.action));
  });

  worker.addEventListener("notificationclose", (event) => {
    const shown = shownBy(event.notification);
    if (shown) event.waitUntil(keep(shown, "dismiss", "").then(() => tell(shown.user, null)));
  });

  worker.addEventListener("message", (event) => {
    const asked = event.data;
    const port = event.ports[0];
    if (!port) return;
    if (asked?.ringback === "clicks" && typeof asked.user === "string") {
      event.waitUntil(keptFor(asked.user).then((kept) => port.postMessage(kept)));
    } else if (asked?.ringback === "taken" && Array.isArray(asked.ids)) {
      event.waitUntil(forget(asked.ids).then(() => port.postMessage(true)));
    }
  });

  /**
   * @param {Notification} notification
   * @returns {Shown | null} null if it isn't one of Ringback's
   */
  function shownBy(notification) {
    const shown = notification.data?.ringback;
    return shown && typeof shown.user === "string" ? shown : null;
  }

  /**
   * @param {Shown} shown
   * @param {string} action
   */
  async function clicked(shown, action) {
    // A browser lets a click focus or open a window only for a few seconds, so both go on at once.
    const [tab] = await Promise.all([openFor(shown), keep(shown, "click", action)]);
    tell(shown.user, tab);
  }

  /**
   * Brings a tab of the user to the front, or opens one.
   * @param {Shown} shown
   * @returns {Promise<string | null>} the tab's id, if there was one
   */
  async function openFor(shown) {
    const found = await tabOf(shown.user);
    if (!found) {
      await worker.clients.openWindow(shown.page);
      return null;
    }
    // The click counts even if the browser won't let the tab come to the front.
    if (!found.client.focused) await found.client.focus().catch(() => undefined);
    return found.tab;
  }

  /**
   * Finds the tab in which a user is signed in that they looked at last.
   * @param {string} user
   * @returns {Promise<{client: WindowClient, tab: string} | undefined>}
   */
  async function tabOf(user) {
    const all = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
    const tabs = await Promise.all(all.map((client) => askWhose(client, user)));
    const theirs = all.flatMap((client, at) => {
      const tab = tabs[at];
      return tab ? [{ client, tab }] : [];
    });
    // matchAll lists the last focused first.
    return (
      theirs.find(({ client }) => client.focused) ??
      theirs.find(({ client }) => client.visibilityState === "visible") ??
      theirs[0]
    );
  }

  /**
   * @param {Client} client
   * @param {string} user
   * @returns {Promise<string | null>} the tab's id, if that user is signed in there
   */
  function askWhose(client, user) {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      setTimeout(() => resolve(null), ANSWER_MS);
      port1.onmessage = (event) => resolve(typeof event.data === "string" ? event.data : null);
      client.postMessage({ ringback: "whose", user }, [port2]);
    });
  }

  /**
   * Tells the user's tabs that something is kept for them.
   * @param {string} user
   * @param {string | null} tab the one that came to the front
   */
  function tell(user, tab) {
    const channel = new BroadcastChannel(`ringback:${user}`);
    channel.postMessage({ type: "clicked", tab });
    channel.close();
  }

  /**
   * Keeps a click or dismissal.
   * @param {Shown} shown
   * @param {Kept["kind"]} kind
   * @param {string} action
   */
  async function keep(shown, kind, action) {
    /** @type {Kept} */
    const kept = { user: shown.user, kind, action, at: Date.now(), click: shown.click };
    await inStore((store) => {
      store.add(kept);
      const keys = store.getAllKeys();
      keys.onsuccess = () => keys.result.slice(0, -MOST_KEPT).forEach((key) => store.delete(key));
    });
  }

  /**
   * Lists what waits for a user's tabs, and drops clicks that waited too long.
   * @param {string} user
   * @returns {Promise<Kept[]>}
   */
  async function keptFor(user) {
    /** @type {Kept[]} */
    const theirs = [];
    await inStore((store) => {
      const all = store.getAll();
      all.onsuccess = () => {
        for (const kept of /** @type {Kept[]} */ (all.result)) {
          if (kept.kind === "click" && Date.now() - kept.at > CLICK_LIVES_MS) store.delete(Number(kept.id));
          else if (kept.user === user) theirs.push(kept);
        }
      };
    });
    return theirs;
  }

  /** @param {number[]} ids */
  function forget(ids) {
    return inStore((store) => ids.forEach((id) => store.delete(id)));
  }

  /**
   * Runs one transaction on the kept clicks.
   * @param {(store: IDBObjectStore) => void} work
   * @returns {Promise<void>} settled when it is committed
   */
  function inStore(work) {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open("ringback", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("clicks", { keyPath: "id", autoIncrement: true });
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const database = opening.result;
        const transaction = database.transaction("clicks", "readwrite");
        transaction.oncomplete = () => (database.close(), resolve());
        transaction.onabort = () => (database.close(), reject(transaction.error));
        work(transaction.objectStore("clicks"));
      };
    });
  }
})();
