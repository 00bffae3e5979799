// Checks the bundle in this page, as `tenuto audit verify --bundle` does: the chain of hashes, the
// proof that a seal covers it, and the seal's signature. It needs no network.
'use strict';
(() => {
  const encoder = new TextEncoder();
  const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const unbase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const joined = (...parts) => {
    const bytes = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part));
    const all = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
    bytes.reduce((at, part) => (all.set(part, at), at + part.length), 0);
    return all;
  };
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', joined(...parts)));

  /** JSON with sorted names and without spaces, as the hashes and signatures cover it. */
  const canonical = (value) => {
    if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
    if (value === null || typeof value !== 'object') {
      if (typeof value === 'number' && !Number.isSafeInteger(value)) {
        throw new Error('a number is too large for this browser: use tenuto audit verify --bundle');
      }
      return JSON.stringify(value);
    }
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
  };

  const bytesOf = (content) => ('text' in content ? encoder.encode(content.text) : unbase64(content.base64));
  const textOf = (content) => new TextDecoder().decode(bytesOf(content));

  /** What is wrong with the chain, and the hash of each event. */
  const checkChain = async ({ order, events }) => {
    const [faults, hashes] = [[], new Map()];
    let [before, due] = ['', 0];
    for (const { revision, id, type, data, metadata } of events) {
      const { hash, ...covered } = JSON.parse(textOf(metadata));
      if (covered.$correlationId !== order) faults.push(`revision ${revision} belongs to another order`);
      if (revision !== due) faults.push(`revision ${revision} stands where ${due} was due`);
      const line = '\n';
      const link = await sha256(before, line, id, line, type, line, bytesOf(data), line, canonical(covered));
      if (hex(link) !== hash) faults.push(`revision ${revision} does not have the hash that it names: it was changed`);
      hashes.set(revision, hash);
      [before, due] = [hash, revision + 1];
    }
    return { faults, hashes };
  };

  /** The root of the seal's tree with this leaf (RFC 9162, section 2.1.3.2). */
  const rootOf = async ({ index, size, path }, leaf) => {
    if (index >= size) return undefined;
    let [at, last, hash] = [index, size - 1, leaf];
    const half = (number) => Math.floor(number / 2);
    for (const sibling of path.map(unhex)) {
      if (last === 0) return undefined;
      if (at % 2 === 1 || at === last) {
        hash = await sha256(Uint8Array.of(1), sibling, hash);
        while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
      } else {
        hash = await sha256(Uint8Array.of(1), hash, sibling);
      }
      [at, last] = [half(at), half(last)];
    }
    return last === 0 ? hash : undefined;
  };

  /** What is wrong with the proof that the seal covers this history. */
  const checkProof = async ({ order, sealed: { revision, inclusion, seal } }, hashes) => {
    const leaf = await sha256(Uint8Array.of(0), `${order}\n${revision}\n${hashes.get(revision) ?? ''}\n`);
    const root = await rootOf(inclusion, leaf);
    const holds = hashes.has(revision) && inclusion.size === seal.orders && root && hex(root) === seal.root;
    return holds ? [] : [`the seal does not cover this history up to revision ${revision}`];
  };

  /** What is wrong with the seal's signature (Ed25519, RFC 8032). */
  const checkSignature = async ({ signature, ...signed }) => {
    // A raw key is the end of its SubjectPublicKeyInfo (RFC 8410).
    const raw = unbase64(signed.publicKey).slice(-32);
    const key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
    const text = encoder.encode(canonical(signed));
    const holds = await crypto.subtle.verify('Ed25519', key, unbase64(signature), text);
    return holds ? [] : ['the signature of the seal does not hold: the seal was changed, or never signed'];
  };

  /** Shows the data of the verified bundle in each row, whatever the row had. */
  const fill = ({ events }) => {
    const rows = new Map(Array.from(document.querySelectorAll('[data-revision]'), (row) => [row.dataset.revision, row]));
    const faults = [];
    for (const { revision, type, data } of events) {
      const row = rows.get(String(revision));
      rows.delete(String(revision));
      if (!row) {
        faults.push(`revision ${revision} is missing in the table`);
        continue;
      }
      row.querySelector('summary').textContent = type;
      row.querySelector('pre').textContent = readable(textOf(data));
    }
    rows.forEach((row, revision) => faults.push(`the table has revision ${revision}, and the bundle does not`));
    return faults;
  };

  /** Indented, if that changes nothing but spaces; with control characters and directions visible. */
  const readable = (text) => {
    const acts = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
    let shown = text;
    try {
      const value = JSON.parse(text);
      if (JSON.stringify(value) === text) shown = JSON.stringify(value, null, 2);
    } catch {
      // It is shown as it is.
    }
    return shown.replace(acts, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
  };

  const list = document.getElementById('checks');
  const report = (faults, holds) => {
    for (const text of faults.length > 0 ? faults : [holds]) {
      const item = document.createElement('li');
      item.className = faults.length > 0 ? 'fails' : 'holds';
      item.textContent = text;
      list.append(item);
    }
    return faults.length === 0;
  };
  const attempt = async (check, holds) => {
    try {
      return report(await check(), holds);
    } catch (error) {
      return report([`this browser cannot check it: ${error.message || error.name}`], '');
    }
  };

  const verify = async () => {
    const bundle = JSON.parse(document.getElementById('bundle').textContent);
    const { sealed, events } = bundle;
    let hashes = new Map();
    let good = await attempt(async () => {
      if (events.length === 0) return ['the bundle has no event'];
      const checked = await checkChain(bundle);
      hashes = checked.hashes;
      return checked.faults;
    }, `The hashes of the ${events.length} events fit together: none was changed, moved or left out.`);
    good = (await attempt(async () => fill(bundle), 'The table shows the events of the bundle.')) && good;
    if (sealed) {
      const { seal, revision } = sealed;
      const covered = `Seal ${seal.number} of ${seal.at} covers revisions 0 to ${revision}.`;
      good = (await attempt(() => checkProof(bundle, hashes), covered)) && good;
      good = (await attempt(() => checkSignature(seal), `The seal is signed with the key ${seal.publicKey}.`)) && good;
    }
    const verdict = document.getElementById('verdict');
    verdict.className = good ? 'holds' : 'fails';
    if (!good) verdict.textContent = 'This history could not be verified.';
    else if (sealed) verdict.textContent = 'Verified: this is the history that was sealed.';
    else verdict.textContent = 'Its hashes fit together. No seal covers it yet, so anyone can have written it.';
  };

  verify().catch((error) => {
    const verdict = document.getElementById('verdict');
    verdict.className = 'fails';
    verdict.textContent = `This page is damaged: ${error.message}`;
  });
})();
