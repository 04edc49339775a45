// The page: the user and the room, the parts of the page, and the events for each part.

import { open } from "./api.js";
import { $, tabs } from "./dom.js";
import * as connection from "./connection.js";
import * as conversation from "./conversation.js";
import * as log from "./log.js";
import * as names from "./names.js";
import * as subscriptions from "./subscriptions.js";
import * as traffic from "./traffic.js";

const people = ["ada", "grace", "linus", "margaret", "dennis", "barbara", "ken", "radia", "edsger", "hedy"];
const randomUser = () => `${people[Math.floor(Math.random() * people.length)]}-${Math.floor(Math.random() * 90) + 10}`;

const query = new URLSearchParams(location.search);
const me = {
  user: query.get("user") || sessionStorage.getItem("user") || randomUser(),
  room: query.get("room") || sessionStorage.getItem("room") || "lobby",
};
let close = () => {};

function enter() {
  close();
  sessionStorage.setItem("user", me.user);
  sessionStorage.setItem("room", me.room);
  $("user").textContent = me.user;
  $("room").textContent = `#${me.room}`;
  $("other").href = `?${new URLSearchParams({ room: me.room })}`;
  document.title = `${me.user} in #${me.room} · Parley playground`;
  conversation.start(me);
  close = open(me.user, me.room, {
    hello: (hello) => {
      traffic.start();
      connection.greet(hello);
      conversation.notice("connected to the playground");
    },
    lost: connection.lost,
    state: (state) => {
      connection.show(state);
      conversation.connected(state.phase === "ready");
    },
    chat: conversation.receive,
    outcome: conversation.finish,
    typing: (who) => conversation.typing(who, true),
    typed: (who) => conversation.typing(who, false),
    read: conversation.read,
    log: log.add,
    problem: log.problem,
    frame: traffic.add,
    meters: subscriptions.show,
    names: names.show,
  });
}

// On a phone there is one view at a time.
tabs($("views"), (id) => (document.body.dataset.view = id));
tabs($("lists"), (id) => {
  for (const name of ["events", "traffic"]) $(name).hidden = name !== id;
});

$("change").onclick = () => {
  $("who-user").value = me.user;
  $("who-room").value = me.room;
  $("who").showModal();
};
$("who").onclose = () => {
  if ($("who").returnValue !== "ok") return;
  me.user = $("who-user").value.trim() || me.user;
  me.room = $("who-room").value.trim() || me.room;
  history.replaceState(null, "", location.pathname);
  enter();
};

// Close the session when the user leaves the page, and open a new one when the
// browser restores the page.
addEventListener("pagehide", () => close());
addEventListener("pageshow", (event) => event.persisted && enter());

enter();
