// A worker that beats once a second. Browsers slow the timers of a hidden page down to one a minute, too slow to notice
// a dead connection in time (N3); those of a worker they leave alone.
setInterval(() => postMessage(0), 1_000);
