// The page at `/`: a typed name has a page too.

import { $ } from "./dom.js";
import { idOf, remember } from "./people.js";

$("who-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const user = idOf($("as-name").value);
  if (user === "") return $("as-name").focus();
  remember(user);
  location.assign(`/as/${user}/`);
});
