/** An app of a test's own with sound and picture, and what its page shows of them. */

import { app } from "./app.js";

/**
 * Opens a person's page whose app is in calls with sound and picture. It has buttons `#call`, `#accept`, `#hang-up`,
 * `#mark`, `#camera`, `#microphone`, `#retry` and `#here`, and shows: `#media`, with `data-state`, `data-problem`, `data-devices`, how
 * many devices are open; in it an item for each of the others, with `data-user`, `data-state`, `data-camera`, `data-microphone`, and since
 * `#mark` was pressed: `data-flows`, whether pictures were decoded and sound came; `data-mended`, whether the path
 * was looked for anew; of the connection as it is, `data-frames` and `data-energy`, how many pictures and how much sound came; and
 * `data-path`, by which candidates it goes. Its log has each signal by whom, with what it brought.
 * @param {import("./browser.js").Profile} profile
 * @param {string} user
 * @param {{ accepts?: boolean, calls?: string[], init?: string, media?: string, before?: string }} [how] `accepts`:
 *   answers by itself; `calls`: whom `#call` calls, by video; `init`, `media`: more of what the service, and the media, are
 *   given; `before`: is run when there is a `service`, and no media yet
 */
export async function caller(profile, user, { accepts = true, calls = [], init = "", media = "", before = "" } = {}) {
  return app(profile, user, `
    const { CallMedia } = await import("/web/media.js");
    const service = new CallInvitationService();
    service.addEventListener("signal", ({ detail: { from, data } }) => {
      const candidates = [...(data.candidates ?? []).map((one) => one.candidate), ...(data.description?.sdp.match(/a=candidate:.*/g) ?? [])];
      seen("signal", from.user, data.description?.type ?? "", candidates);
    });
    const opened = [];
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await open(constraints);
      opened.push(...stream.getTracks());
      return stream;
    };
    ${before}
    const media = new CallMedia(service, { video: { width: 160, height: 120, frameRate: 10 }, ${media} });
    const list = document.createElement("ul");
    list.id = "media";
    document.body.append(list);
    let marks = new Map();
    const count = async (user) => {
      const counted = { frames: 0, energy: 0, ufrag: "", path: "" };
      const stats = await media.stats(user);
      for (const one of stats?.values() ?? []) {
        if (one.type === "inbound-rtp" && one.kind === "video") counted.frames += one.framesDecoded ?? 0;
        if (one.type === "inbound-rtp" && one.kind === "audio") counted.energy += one.totalAudioEnergy ?? 0;
        if (one.type !== "transport" || !one.selectedCandidatePairId) continue;
        counted.ufrag = one.iceLocalUsernameFragment; // new with each search for a path
        const { localCandidateId, remoteCandidateId } = stats.get(one.selectedCandidatePairId) ?? {};
        const [local, remote] = [stats.get(localCandidateId), stats.get(remoteCandidateId)];
        counted.path = local?.candidateType + " " + remote?.candidateType;
      }
      return counted;
    };
    const look = async () => {
      list.dataset.state = media.state;
      list.dataset.problem = media.problem?.code ?? "";
      list.dataset.devices = opened.filter((track) => track.readyState === "live").length;
      for (const gone of [...list.children]) if (!media.peers.some((peer) => peer.user.id === gone.dataset.user)) gone.remove();
      for (const { user, stream, state, camera, microphone } of media.peers) {
        let item = [...list.children].find((one) => one.dataset.user === user.id);
        if (!item) {
          item = document.createElement("li");
          item.dataset.user = user.id;
          item.append(Object.assign(document.createElement("video"), { autoplay: true, playsInline: true, width: 160 }));
          item.append(document.createElement("code")); // for the report, when a story failed
          list.append(item);
        }
        const video = item.querySelector("video");
        if (video.srcObject !== stream) video.srcObject = stream;
        Object.assign(item.dataset, { state, camera, microphone, picture: stream.getVideoTracks().length });
        const now = await count(user.id);
        if (!marks.has(user.id)) marks.set(user.id, now);
        const mark = marks.get(user.id);
        // Another connection counts from nothing again.
        const flows = now.frames > 0 && now.energy > 0 && (now.ufrag !== mark.ufrag || (now.frames > mark.frames + 2 && now.energy > mark.energy));
        Object.assign(item.dataset, { flows, frames: now.frames, energy: now.energy, path: now.path, mended: mark.ufrag !== "" && now.ufrag !== "" && now.ufrag !== mark.ufrag });
        item.querySelector("code").textContent = JSON.stringify([{ ...item.dataset }, now, mark]);
      }
    };
    const looking = async () => {
      await look();
      setTimeout(looking, 100);
    };
    looking();
    const said = (name, work) => press(name, () => work()?.catch((error) => seen("refused", error.code, error.field)));
    said("call", () => service.send({ invitees: ${JSON.stringify(calls)}, isVideoCall: true }));
    said("accept", () => service.accept());
    said("leave", () => media.hangUp());
    said("camera", () => media.setCamera(!media.camera));
    said("microphone", () => media.setMicrophone(!media.microphone));
    said("retry", () => media.retry());
    said("here", () => media.takeHere());
    service.addEventListener("change", () => { list.dataset.rings = service.calls.some((call) => call.ringing); });
    press("mark", async () => {
      const users = media.peers.map((peer) => peer.user.id);
      marks = new Map(await Promise.all(users.map(async (user) => [user, await count(user)])));
      await look();
      seen("marked");
    });
    events.onIncomingCallReceived = () => (seen("rings"), ${accepts} && service.accept());
    await service.init({ ...base, invitationEvents: events, ${init} });
  `);
}

/** Waits until what comes from each of the others grows. @param {import("./person.js").Person} person @param {string[]} others */
export async function flows(person, others) {
  for (const user of others) await person.shows(`#media li[data-user="${user}"][data-state="connected"][data-flows="true"]`);
}

/** Counts what comes from now on. @param {import("./person.js").Person} person */
export async function mark(person) {
  const before = await person.times("marked");
  await person.page.locator("#mark").click();
  await person.page.locator('#log li[data-event="marked"]').nth(before).waitFor({ state: "attached" });
}

/** @param {import("./person.js").Person} person @param {string} button */
export async function press(person, button) {
  await person.page.locator(`#${button}`).last().click();
}

/** Waits until its media are in a state, with this problem. @param {import("./person.js").Person} person @param {string} state @param {string} [problem] */
export async function stands(person, state, problem = "") {
  await person.page.locator(`#media[data-state="${state}"][data-problem="${problem}"]`).waitFor({ state: "attached" });
}
