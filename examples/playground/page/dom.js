// Small helpers. Texts from users and backends are set as textContent, never as HTML.

export const $ = (id) => document.getElementById(id);

// el makes an element: el("li", { class: "x", "data-y": 1 }, "text", child).
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

// seconds formats a duration.
export const seconds = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`);

// hue returns the hue of a name's colour.
export const hue = (name) => ([...String(name)].reduce((sum, c) => sum * 31 + c.codePointAt(0), 7) * 137.5) % 360;

export const calm = matchMedia("(prefers-reduced-motion: reduce)");

// tabs makes the buttons of a tablist work. show is called with the id of the panel of the
// chosen tab.
export function tabs(tablist, show) {
  const all = [...tablist.children];
  const choose = (tab) => {
    for (const other of all) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
    }
    show(tab.getAttribute("aria-controls"));
  };
  for (const [i, tab] of all.entries()) {
    tab.onclick = () => choose(tab);
    tab.onkeydown = ({ key }) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (!step) return;
      const next = all[(i + step + all.length) % all.length];
      choose(next);
      next.focus();
    };
  }
}
