// Notifications for missed calls: shown by the service worker's registration, so that they outlive the page and their
// clicks reach the worker (sw.js). What to show and when is decided by device.js.

/** Words of the actions that a notification may have (M5). */
const ACTIONS = { call_back: "Call back", join: "Join" };
/** How long the worker has to answer, in ms: it may have to be started. */
const WORKER_MS = 10_000;

/**
 * Where the service worker is and what it serves.
 * @typedef {object} ServiceWorkerOptions
 * @property {string | URL} url of sw.js, or of an app's own worker that takes it in
 * @property {string} [scope] of the registration; the worker's own folder if left out
 * @property {string | URL} [page] what a click opens when the user has no tab open; the scope if left out
 */

/**
 * What device.js says is to be shown.
 * @typedef {object} Show
 * @property {string} key what the notification stands for (M6)
 * @property {object | null} missed given back with the click; null for a summary
 * @property {string} user
 * @property {string} title
 * @property {string} body
 * @property {number} at ms since 1970
 * @property {("call_back" | "join")[]} actions
 * @property {boolean} sound
 */

/** The notifications of one user, and what is clicked of them. */
export class Notifications {
  /**
   * @param {string} user
   * @param {ServiceWorkerOptions | undefined} options none: nothing can be shown
   */
  constructor(user, options) {
    this.user = user;
    this.options = options;
    /** @type {Promise<ServiceWorkerRegistration | null>} */
    this.registration = this.register();
    /** What was asked last is done last. @type {Promise<unknown>} */
    this.last = Promise.resolve();
  }

  /** @returns {Promise<ServiceWorkerRegistration | null>} null if there can be none */
  async register() {
    if (!this.options || !("serviceWorker" in navigator)) return null;
    const { url, scope } = this.options;
    const registration = await navigator.serviceWorker.register(url, scope === undefined ? {} : { scope });
    await activated(registration);
    return registration;
  }

  /**
   * Shows a notification, or replaces the one that stands for the same.
   * @param {Show} show
   * @returns {Promise<boolean>} false if it may not be shown (M8)
   */
  show(show) {
    return this.next(async (registration) => {
      if (Notification.permission !== "granted") return false;
      const page = this.options?.page ?? registration.scope;
      /** @type {NotificationOptions & {renotify: boolean, timestamp: number, actions: {action: string, title: string}[]}} */
      const options = {
        body: show.body,
        tag: this.tag(show.key),
        timestamp: show.at,
        silent: !show.sound,
        renotify: show.sound,
        actions: show.actions.map((action) => ({ action, title: ACTIONS[action] })),
        data: { ringback: { user: show.user, page: new URL(page, location.href).href, click: show.missed } },
      };
      await registration.showNotification(show.title, options);
      return true;
    });
  }

  /**
   * Closes the notification that stands for `key`, if it shows.
   * @param {string} key
   */
  withdraw(key) {
    return this.next(async (registration) => {
      for (const notification of await registration.getNotifications({ tag: this.tag(key) })) notification.close();
      return true;
    });
  }

  /** Closes all of this user's notifications. */
  withdrawAll() {
    return this.next(async (registration) => {
      for (const notification of await registration.getNotifications()) {
        if (notification.data?.ringback?.user === this.user) notification.close();
      }
      return true;
    });
  }

  /**
   * Lists the clicks and dismissals that the worker keeps for this user; they stay until `taken`.
   * @returns {Promise<{id: number, user: string, kind: "click" | "dismiss", action: string, at: number, click: any}[]>}
   */
  async clicks() {
    return (await this.askWorker({ ringback: "clicks", user: this.user })) ?? [];
  }

  /**
   * Has the worker forget what was taken.
   * @param {number[]} ids
   */
  async taken(ids) {
    await this.askWorker({ ringback: "taken", ids });
  }

  /**
   * @param {object} question
   * @returns {Promise<any>} null if there is no worker or no answer
   */
  async askWorker(question) {
    const registration = await this.registration.catch(() => null);
    const worker = registration?.active;
    if (!worker) return null;
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      const timer = setTimeout(() => resolve(null), WORKER_MS);
      port1.onmessage = (event) => {
        clearTimeout(timer);
        port1.close();
        resolve(event.data);
      };
      worker.postMessage(question, [port2]);
    });
  }

  /**
   * Notifications of one origin share their tags, so each user's are told apart.
   * @param {string} key
   */
  tag(key) {
    return `ringback:${this.user}:${key}`;
  }

  /**
   * Does one thing after the other, so that a withdrawal never overtakes what it withdraws.
   * @param {(registration: ServiceWorkerRegistration) => Promise<boolean>} work
   * @returns {Promise<boolean>} false if there is no worker, or the browser refused
   */
  next(work) {
    const done = this.last.then(async () => {
      const registration = await this.registration;
      return registration ? work(registration) : false;
    }).catch(() => false);
    this.last = done;
    return done;
  }
}

/**
 * Waits until a registration has a worker that runs.
 * @param {ServiceWorkerRegistration} registration
 * @returns {Promise<void>}
 */
function activated(registration) {
  return new Promise((resolve, reject) => {
    const worker = registration.active ?? registration.waiting ?? registration.installing;
    if (!worker) return reject(new Error("The service worker went away."));
    const look = () => {
      if (worker.state === "activated" || registration.active) resolve();
      else if (worker.state === "redundant") reject(new Error("The service worker could not be installed."));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
