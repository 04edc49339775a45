import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./Chat.jsx";
import "./style.css";

// chatID returns the chat of the page's URL. A page without one gets a new chat.
function chatID() {
  const url = new URL(location.href);
  let id = url.searchParams.get("chat");
  if (!id) {
    const random = crypto.getRandomValues(new Uint8Array(12));
    id = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    url.searchParams.set("chat", id);
    history.replaceState(null, "", url);
  }
  return id;
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Chat id={chatID()} />
  </StrictMode>,
);
