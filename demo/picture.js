// The picture of somebody without a camera: their initials, gently moving, so that frames flow.

import { hueOf, initials } from "./people.js";

const [WIDTH, HEIGHT] = [640, 480];
/** Pictures a second: enough to be seen to live, and cheap. */
const RATE = 12;
/** The colours of style.css, deeper: [inside, outside]. */
const COLOURS = [
  ["#3f6fd8", "#16264d"], ["#0f8a72", "#06352c"], ["#b8562f", "#431d0e"],
  ["#8a56c2", "#2f1b46"], ["#a8456d", "#3e1627"], ["#4d7a1f", "#1c2d0a"],
];

/**
 * Streams a drawing of a person. Stop its track to end it.
 * @param {{id: string, name: string}} user
 * @returns {MediaStream}
 */
export function drawnPicture(user) {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const pen = canvas.getContext("2d");
  const [inside, outside] = COLOURS[hueOf(user.id)];
  const draw = () => {
    const time = performance.now() / 1000;
    const [x, y] = [WIDTH / 2 + 14 * Math.sin(time * 0.7), HEIGHT / 2 + 9 * Math.cos(time * 0.9)];
    const light = pen.createRadialGradient(x - 60, y - 80, 20, x, y, WIDTH * 0.62);
    light.addColorStop(0, inside);
    light.addColorStop(1, outside);
    pen.fillStyle = light;
    pen.fillRect(0, 0, WIDTH, HEIGHT);
    pen.fillStyle = "rgb(255 255 255 / 12%)";
    pen.beginPath();
    pen.arc(x, y, 108 + 4 * Math.sin(time * 1.6), 0, 2 * Math.PI);
    pen.fill();
    pen.fillStyle = "#fff";
    pen.font = "600 104px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(initials(user.name), x, y + 6);
  };
  draw();
  const stream = canvas.captureStream(RATE);
  const [track] = stream.getVideoTracks();
  const timer = setInterval(() => {
    if (track.readyState === "ended") clearInterval(timer);
    else draw();
  }, 1000 / RATE);
  return stream;
}
