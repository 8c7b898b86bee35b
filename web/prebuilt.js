// The service under the seed page's class names, with its prefix changed, for apps that come from there.

import { CallInvitationService } from "./service.js";

/** @type {RingbackUIKitPrebuiltCallInvitationService | undefined} */
let only;

/** The page's one service: whoever makes one gets the same. */
export class RingbackUIKitPrebuiltCallInvitationService extends CallInvitationService {
  constructor() {
    super();
    only ??= this;
    return only;
  }
}

/** The configuration (C1, C9 to C11). */
export class RingbackCallInvitationConfig {
  /** @param {import("./config.js").CallInvitationConfig} [parameters] */
  constructor(parameters) {
    Object.assign(this, parameters);
  }
}

/** What concerns missed calls (C2 to C8). */
export class RingbackCallInvitationMissedCallConfig {
  /** @param {import("./config.js").MissedCallConfig} [parameters] */
  constructor(parameters) {
    Object.assign(this, parameters);
  }
}

/** What concerns a running call (C9, C10). */
export class RingbackCallInvitationInCallingConfig {
  /** @param {import("./config.js").InCallingConfig} [parameters] */
  constructor(parameters) {
    Object.assign(this, parameters);
  }
}

/** The events. */
export class RingbackUIKitPrebuiltCallInvitationEvents {
  /** @param {import("./events.js").CallInvitationEvents} [events] */
  constructor(events) {
    Object.assign(this, events);
  }
}

/** Voice or video, as events and calls name it. */
export const RingbackCallInvitationType = Object.freeze({
  voiceCall: /** @type {const} */ ("voice"),
  videoCall: /** @type {const} */ ("video"),
});
