// The call that this device is in: who is there and how, sound and picture, and how long it has been.

import { $, all, attempt, attribute, button, element, keyed, put, setIcon } from "./dom.js";
import { avatar, calledBy, listed, me, nameOf } from "./people.js";
import { drawnPicture } from "./picture.js";
import { duration, kind, STATES } from "./words.js";

/** Problems for which a drawing stands in for the camera, in words that say so. */
const DRAWN = {
  no_devices: "No microphone or camera was found: the others see a drawing of you, and you see and hear them.",
  no_camera: "No camera was found: the others hear you, and see a drawing of you.",
  devices_denied: "The browser may not use your microphone or camera: the others see a drawing of you. Allow it beside the page’s address, and try again.",
  devices_busy: "Your microphone or camera can’t be opened, another program may be using it: the others see a drawing of you.",
};
/** Those that another try may mend. */
const TRIED_AGAIN = ["devices_denied", "devices_busy", "no_devices", "no_microphone", "no_camera"];
/** On one desk, the microphone of one window hears the loudspeaker of the other. */
const ONE_DESK = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
/** With how many others one is connected at most. */
const MOST_PEERS = 3;
/** How long connecting takes at most, in ms; beyond it the tile says that it failed. It is tried on all the same. */
const CONNECTS_MS = 15_000;
/** Where the time at which a conversation began is kept, so that a reload goes on counting. */
const SINCE = "ringback-demo:since";

/** @type {import("/web/ringback.js").CallInvitationService} */
let service;
/** Sound and picture, once they are loaded. @type {import("/web/media.js").CallMedia | null} */
let media = null;
/** Says that they could not be loaded. @type {string | null} */
let unloaded = null;
/** Whether the others are heard. */
let sound = !ONE_DESK;
/** Whether the browser wants a click before it plays the others. */
let silenced = false;

/** @param {import("/web/ringback.js").CallInvitationService} its */
export function beginCall(its) {
  service = its;
  $("hang-up").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => service.leave()));
  $("end").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => service.end()));
  $("cancel").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => service.cancel()));
  $("microphone").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => media.setMicrophone(!media.microphone)));
  $("camera").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => media.setCamera(!media.camera)));
  $("try-again").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => media.retry()));
  $("take-here").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => media.takeHere()));
  for (const id of ["sound", "turn-sound-on"]) {
    $(id).addEventListener("click", () => {
      sound = silenced || !sound;
      silenced = false;
      drawCall();
      if (sound) for (const video of all("#call .tile:not(.self) video")) play(video);
    });
  }
}

/**
 * Loads sound and picture, which follow the service by themselves; without them a call is a call all the same.
 * @param {boolean} relayOnly
 */
export async function beginMedia(relayOnly) {
  media?.close();
  media = null;
  try {
    const { CallMedia } = await import("/web/media.js");
    media = new CallMedia(service, { relayOnly, standIn: ({ video }) => (video ? drawnPicture({ id: me, name: calledBy(me) }) : null) });
    media.addEventListener("change", drawCall);
  } catch (error) {
    console.warn(error);
    unloaded = "Sound and picture couldn’t be loaded; the call goes on without.";
  }
  drawCall();
}

/** Shows the call of this device, or that it is on another one. */
export function drawCall() {
  const { calls } = service;
  const call = calls.find((one) => one.inCall);
  const shown = call ?? calls.find((one) => one.elsewhere);
  $("call").hidden = !shown;
  if (!shown) {
    // What is no longer shown is no longer heard.
    for (const video of all("#call video")) video.srcObject = null;
    $("tiles").replaceChildren();
    return;
  }
  const people = inOrder(shown);
  const here = people.filter(present);
  const called = here.filter((one) => pending(one) && !one.self);
  put($("call-title"), title(shown));
  put($("call-status"), statusOf(shown, called));
  $("call").dataset.type = shown.callType;
  attribute($("tiles"), "data-count", Math.min(here.length, 5));
  keyed($("tiles"), "user", here, (one) => one.user.id, tile, (item, one) => drawTile(item, one, shown));
  keyed($("gone"), "user", people.filter((one) => !here.includes(one)), (one) => one.user.id, () => element("li"), (item, one) => {
    if (item.dataset.state === one.state) return;
    item.dataset.state = one.state;
    item.replaceChildren(element("bdi", { textContent: one.self ? "You" : nameOf(one.user) }), " ", element("span", { className: "state", textContent: STATES[one.state] }));
  });
  drawControls(call, shown, called);
  drawDuration();
}

/** Everybody where they were before, whatever they did last: the initiator, the others by name, oneself. */
function inOrder(call) {
  const rank = (one) => (one.self ? 2 : one.user.id === call.initiator ? 0 : 1);
  return [...call.participants].sort((a, b) => rank(a) - rank(b) || nameOf(a.user).localeCompare(nameOf(b.user)));
}

/** Whether somebody is in the call, or being rung. */
export function present(one) {
  return one.state === "accepted" || pending(one);
}

function pending({ state }) {
  return state === "inviting" || state === "ringing";
}

function title(call) {
  const others = call.participants.filter((one) => !one.self && present(one)).map((one) => nameOf(one.user)).sort();
  // In a crowd not everybody is listed.
  const count = Math.max(others.length, call.inCallCount - 1);
  const shown = count > 3 ? [...others.slice(0, 2), `${count - 2} more`] : others;
  return others.length > 0 ? `${kind(call)} with ${listed(shown)}` : kind(call);
}

function statusOf(call, called) {
  if (call.elsewhere) return "You are in this call on another device.";
  const names = listed(called.map((one) => nameOf(one.user)));
  const rings = called.some((one) => one.state === "ringing");
  if (media?.state === "full") return "Waiting for a place";
  if (call.inCallCount > 1) return called.length > 0 ? `Connected; ${rings ? "ringing" : "calling"} ${names}` : "Connected";
  return called.length > 0 ? `${rings ? "Ringing" : "Calling"} ${names}…` : "You are alone in the call";
}

// ---- Tiles ----

function tile(one) {
  const video = element("video", { autoplay: true, playsInline: true, muted: true, hidden: true });
  video.setAttribute("aria-label", `${one.self ? "Your" : `${nameOf(one.user)}’s`} picture`);
  return element("li", { className: one.self ? "tile self" : "tile" }, [
    video,
    avatar(one.self ? { id: me, name: "" } : one.user, "huge"),
    element("p", { className: "caption" }, [
      element("span", { className: "name", textContent: one.self ? "You" : nameOf(one.user), dir: "auto" }),
      element("span", { className: "state" }),
    ]),
    one.self ? null : button({ className: "small stop-one", icon: "close", label: `Stop calling ${nameOf(one.user)}`, work: () => service.cancel([one.user.id]) }),
  ]);
}

function drawTile(item, one, call) {
  const peer = media?.peers.find(({ user }) => user.id === one.user.id);
  const stream = one.self ? media?.local : peer?.stream;
  item.dataset.state = one.state;
  attribute(item, "data-media", peer?.state ?? null);
  put(item.querySelector(".state"), tileState(one, peer, call, tooSlow(item, peer)));
  const video = item.querySelector("video");
  if (video.srcObject !== (stream ?? null)) video.srcObject = stream ?? null;
  follow(stream);
  video.muted = one.self || !sound;
  video.hidden = !(one.self ? media?.camera : peer?.camera) || !shows(stream);
  item.classList.toggle("pictured", !video.hidden);
  if (stream && !one.self) play(video);
  const stop = item.querySelector(".stop-one");
  if (stop) stop.hidden = !call.group || !pending(one) || !(call.initiator === me || one.inviter === me);
}

function tileState(one, peer, call, slow) {
  const muted = (side) => (side.microphone ? "" : "muted");
  if (one.self) return call.inCall && media?.state === "on" ? muted(media) : "";
  if (one.state !== "accepted") return STATES[one.state];
  // Of those beyond the fourth (R1) nobody has sound or picture yet.
  if (!peer) return media?.state === "on" && media.peers.length >= MOST_PEERS ? "doesn’t hear you yet" : "";
  if (peer.state === "connected") return muted(peer);
  return peer.state === "failed" || slow ? "no sound or picture" : `${peer.state}…`;
}

/** Whether a first connection has taken so long already that nobody believes in it any more. */
function tooSlow(item, peer) {
  if (peer?.state !== "connecting") {
    delete item.dataset.since;
    return false;
  }
  if (!item.dataset.since) {
    item.dataset.since = String(Date.now());
    setTimeout(drawCall, CONNECTS_MS);
  }
  return Date.now() - Number(item.dataset.since) >= CONNECTS_MS;
}

/** Whether a stream has a picture now. */
function shows(stream) {
  return stream?.getVideoTracks().some((track) => track.readyState === "live" && track.enabled && !track.muted) ?? false;
}

/** Tracks that are followed already. */
const followed = new WeakSet();

/** A picture comes and goes with its track. */
function follow(stream) {
  for (const track of stream?.getVideoTracks() ?? []) {
    if (followed.has(track)) continue;
    followed.add(track);
    for (const event of ["mute", "unmute", "ended"]) track.addEventListener(event, () => drawCall());
  }
}

async function play(video) {
  if (!video.paused) return;
  try {
    await video.play();
  } catch (error) {
    if (error.name !== "NotAllowedError") return;
    silenced = true;
    video.muted = true; // a picture without sound may play
    drawControls(...drawn);
  }
}

/** A voice below this level, of 1, is the room's. */
const VOICE = 0.015;

/** Marks who speaks now. */
export async function drawSpeaking() {
  for (const { user, state } of media?.peers ?? []) {
    const stats = state === "connected" ? await media.stats(user.id) : null;
    const level = [...(stats?.values() ?? [])].find((one) => one.type === "inbound-rtp" && one.kind === "audio")?.audioLevel ?? 0;
    for (const item of all("#tiles .tile")) if (item.dataset.user === user.id) item.classList.toggle("speaking", level > VOICE);
  }
}

// ---- What can be done ----

/** The last parameters of `drawControls`. @type {[any, any, any[]]} */
let drawn = [undefined, undefined, []];

function drawControls(call, shown, called) {
  drawn = [call, shown, called];
  if (!shown) return;
  const initiator = shown.initiator === me;
  const on = call && media?.state === "on";
  // One whom nobody has answered yet is cancelled; a group goes on without who is called off.
  const outgoing = call && !shown.group && shown.inCallCount < 2;
  $("cancel").hidden = !call || called.length === 0 || !(initiator || called.some((one) => one.inviter === me));
  $("cancel").classList.toggle("stop", outgoing);
  put($("cancel").querySelector("span"), outgoing ? "Cancel" : "Stop ringing");
  setIcon($("cancel"), outgoing ? "hang-up" : "bell-off");
  $("hang-up").hidden = !call || (outgoing && !$("cancel").hidden);
  $("end").hidden = !call || !shown.group || !initiator || shown.inCallCount < 2;
  toggle("microphone", on, media?.microphone, ["Mute", "mic"], ["Unmute", "mic-off"]);
  toggle("camera", on, media?.camera, ["Video off", "video"], ["Video on", "video-off"]);
  if (shown.callType === "voice") $("camera").classList.remove("off"); // as it should be
  const heard = sound && !silenced;
  const others = media?.peers.length > 0;
  toggle("sound", on && others, heard, ["Sound off", "sound"], ["Sound on", "sound-off"]);
  $("call-silent").hidden = !on || heard || !others;
  put($("why-silent"), silenced
    ? "The browser waits for a click before it plays the others."
    : ONE_DESK ? "Sound is off at first: both windows are on this computer, and loudspeaker and microphone would howl." : "Sound is off.");
  const problem = call && problemOf();
  put($("what-problem"), problem ?? "");
  $("call-problem").hidden = !problem;
  $("take-here").hidden = media?.state !== "elsewhere";
  $("try-again").hidden = !TRIED_AGAIN.includes(media?.problem?.code);
}

/** What keeps sound or picture from being as they should, in words. */
function problemOf() {
  if (unloaded && !media) return unloaded;
  if (media?.state === "elsewhere") return "Sound and picture are in another window of yours.";
  const { problem } = media ?? {};
  if (!problem) return null;
  return (media.camera && DRAWN[problem.code]) || problem.message;
}

/** Draws a button that turns something off or on; it says what it will do. */
function toggle(id, possible, on, whenOn, whenOff) {
  const [text, picture] = on ? whenOn : whenOff;
  $(id).hidden = !possible;
  $(id).classList.toggle("off", !on);
  put($(id).querySelector("span"), text);
  setIcon($(id), picture);
}

/** How long this conversation has been: since somebody else was in it. */
export function drawDuration() {
  const call = service.calls.find((one) => one.inCall);
  const talks = call !== undefined && call.inCallCount > 1 && media?.state !== "full";
  const since = JSON.parse(sessionStorage.getItem(SINCE) ?? "{}");
  if (talks && since.invitation !== call.invitationID) {
    Object.assign(since, { invitation: call.invitationID, at: Date.now() });
    sessionStorage.setItem(SINCE, JSON.stringify(since));
  }
  $("duration").hidden = !call || media?.state === "full" || since.invitation !== call.invitationID;
  if (call && since.invitation === call.invitationID) put($("duration"), duration(Date.now() - since.at));
}
