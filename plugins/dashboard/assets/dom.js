/**
 * Elements out of text. Whatever a server or a client has said becomes a text
 * node or an attribute's value here, never markup.
 */

/**
 * @param {string} tag
 * @param {Record<string, string | undefined>} attributes those that are undefined are left out
 * @param {...(Node | string)} children strings become text nodes
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`There is no #${id}`);
  return element;
}

/**
 * Changes text only if it is another: an assistive technology would read it again.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Keeps a parent's children in step with a list: a child lives as long as its
 * key does, so that what a reader has opened or focused stays.
 *
 * @template T
 * @param {Element} parent
 * @param {Map<string, { root: Element, update(item: T): void }>} known
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => { root: Element, update(item: T): void }} make
 */
export function keepList(parent, known, items, keyOf, make) {
  const keys = new Set(items.map(keyOf));
  for (const [key, { root }] of known) {
    if (keys.has(key)) continue;
    root.remove();
    known.delete(key);
  }
  items.forEach((item, i) => {
    const key = keyOf(item);
    let part = known.get(key);
    if (part === undefined) {
      part = make(item);
      known.set(key, part);
    }
    part.update(item);
    const there = parent.children[i];
    if (there === part.root) return;
    const focused = part.root.contains(document.activeElement)
      ? document.activeElement
      : null;
    parent.insertBefore(part.root, there ?? null);
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  });
}
