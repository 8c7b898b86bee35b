// The page at `/`: a typed name has a page too.

import { $, attempt } from "./dom.js";
import { idOf, pageOf, remember } from "./people.js";

$("who-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(null, () => {
    $("as-name").focus();
    const user = idOf($("as-name").value);
    remember(user);
    location.assign(pageOf(user));
  });
});
