// Markdown of answers. The text comes from a model, so it is hostile: markdown-it escapes HTML
// and rejects links such as javascript:, and images are not loaded.

import { el } from "./dom.js";
import MarkdownIt from "./vendor/markdown-it.esm.min.mjs";

const parser = new MarkdownIt({ html: false, linkify: true, breaks: true }).disable("image");

// markdown returns the elements of a text.
export function markdown(text) {
  const template = document.createElement("template");
  template.innerHTML = parser.render(text);
  for (const link of template.content.querySelectorAll("a")) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
  for (const code of template.content.querySelectorAll("pre")) {
    code.tabIndex = 0; // scrolls by keyboard
    code.role = "region";
    code.ariaLabel = "Code";
    const block = el("div", { class: "code" });
    code.replaceWith(block);
    block.append(code, copyButton(() => code.textContent));
  }
  return template.content;
}

// copyButton returns a button that copies a text, or an empty text without a clipboard.
export function copyButton(text) {
  if (!navigator.clipboard) return "";
  const button = el("button", { type: "button", class: "quiet copy" }, "Copy");
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  return button;
}
