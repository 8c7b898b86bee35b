// Takes the seed page's three code examples and turns them from Dart into JavaScript by a few mechanical rules: the class
// prefix, and what the two languages spell differently. Nothing else of an example changes.

import { existsSync, readFileSync } from "node:fs";

/** The examples exactly as the seed page has them, kept here for those who haven't got the page. */
const FIXTURE = new URL("./seed-examples.txt", import.meta.url);
/** The page itself, where it lies beside the checkout. */
const PAGE = new URL("../../../shared/seed/missed-call-page.txt", import.meta.url);

/**
 * The three examples, verbatim.
 * @returns {string[]}
 */
export function examples() {
  return readFileSync(FIXTURE, "utf8").replace(/\n$/, "").split("\n========\n");
}

/**
 * The examples of the seed page itself, or null where it isn't at hand.
 * @returns {string[] | null}
 */
export function examplesOfThePage() {
  if (!existsSync(PAGE)) return null;
  return [...readFileSync(PAGE, "utf8").matchAll(/Untitled\n([^]*?)\n1\nCopied!/g)].map((match) => match[1]);
}

/**
 * Turns one example into JavaScript.
 *
 * - `Zego…` is `Ringback…`.
 * - `Name(…)` of a class is `new Name(…)`, and named arguments are an object literal.
 * - A closure `(Type name, …) { }` is an arrow function `(name, …) => { }`; `async` goes before it.
 * - `...`, where the page leaves something out, is what the caller brings: `...base` in `init`, `...events` in the events.
 * - Where the page says "Add your custom logic here", the callback says what it was called with:
 *   `seen("name", …parameters)`.
 *
 * @param {string} dart
 * @returns {string} a statement that uses the `Ringback…` classes, `base`, `events` and `seen`
 */
export function toJavaScript(dart) {
  const tokens = dart.replaceAll("Zego", "Ringback").match(/\/\/[^\n]*|\.\.\.|\s+|\w+|[^]/g) ?? [];
  return new Translation(tokens).all();
}

class Translation {
  /** @param {string[]} tokens */
  constructor(tokens) {
    this.tokens = tokens;
    this.at = 0;
  }

  all() {
    let out = "";
    while (this.at < this.tokens.length) out += this.next("base");
    return out;
  }

  /**
   * One token, or a whole call.
   * @param {string} left what a left-out `...` stands for here
   */
  next(left) {
    const token = this.tokens[this.at++];
    if (token === "...") return this.peek() === "," ? `...${left}` : `...${left},`;
    if (this.peek() !== "(") return token;
    if (/^[A-Z]/.test(token)) return `new ${token}${this.call(token)}`;
    return /^\w/.test(token) ? token + this.call(token) : token;
  }

  /**
   * The arguments of a call, whose `(` is next.
   * @param {string} callee
   */
  call(callee) {
    const left = callee.endsWith("Events") ? "events" : "base";
    this.at += 1;
    let body = "";
    while (this.tokens[this.at] !== ")") {
      const key = this.tokens[this.at];
      if (/^on[A-Z]/.test(key) && this.tokens[this.at + 1] === ":") {
        this.at += 2;
        body += `${key}:${this.space()}${this.closure(key)}`;
      } else {
        body += this.next(left);
      }
    }
    this.at += 1;
    return body.trim() === "" ? "()" : `({${body}})`;
  }

  /**
   * A typed closure, whose `(` is next.
   * @param {string} name of the callback
   */
  closure(name) {
    const { text, names } = this.parameters();
    let before = this.space();
    let async = "";
    if (this.tokens[this.at] === "async") {
      async = "async ";
      this.at += 1;
      before = this.space();
    }
    return `${async}(${text}) =>${before}${this.block(name, names)}`;
  }

  /** The parameters without their types: of each, the last word is the name. */
  parameters() {
    this.at += 1;
    let depth = 0;
    let text = "";
    let spaces = "";
    let last = "";
    /** @type {string[]} */
    const names = [];
    const close = () => {
      if (last) names.push(last);
      text += last;
      last = "";
    };
    for (; depth > 0 || this.tokens[this.at] !== ")"; this.at += 1) {
      const token = this.tokens[this.at];
      if (token === "<" || token === "(") depth += 1;
      else if (token === ">" || token === ")") depth -= 1;
      else if (depth > 0) continue;
      else if (token === ",") (close(), (text += ","));
      else if (token.startsWith("//")) text += spaces + token;
      else if (/^\s/.test(token)) spaces = token;
      else if (/^\w/.test(token)) ((last === "" && (text += spaces)), (spaces = ""), (last = token));
      if (token.startsWith("//")) spaces = "";
    }
    close();
    this.at += 1;
    return { text: text + spaces, names };
  }

  /**
   * The closure's body, whose `{` is next.
   * @param {string} name
   * @param {string[]} parameters
   */
  block(name, parameters) {
    let out = "";
    let depth = 0;
    do {
      const token = this.tokens[this.at++];
      if (token === "{") depth += 1;
      if (token === "}") depth -= 1;
      out += token;
      if (token.startsWith("//") && token.includes("custom logic")) {
        out += `\nseen(${[JSON.stringify(name), ...parameters].join(", ")});`;
      }
    } while (depth > 0);
    return out;
  }

  space() {
    let out = "";
    while (/^\s/.test(this.peek() ?? "")) out += this.tokens[this.at++];
    return out;
  }

  peek() {
    return this.tokens[this.at];
  }
}
