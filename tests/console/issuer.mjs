// An OIDC issuer for one client: authorization code with PKCE, and tokens that are signed with ES256.

import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Issuer {
  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.key = privateKey;
    this.jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256", use: "sig" };
    // What was asked for each code.
    this.codes = new Map();
    // What the next authorization answers with, instead of a code.
    this.denies = undefined;
  }

  async start() {
    this.server = createServer((request, response) => this.answer(request, response));
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.url);
    const json = (value, status = 200) => {
      response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" });
      response.end(JSON.stringify(value));
    };
    if (pathname === "/.well-known/openid-configuration") {
      const endpoints = { authorization_endpoint: `${this.url}/authorize`, token_endpoint: `${this.url}/token` };
      return json({ issuer: this.url, jwks_uri: `${this.url}/keys`, ...endpoints });
    }
    if (pathname === "/keys") return json({ keys: [this.jwk] });
    if (pathname === "/authorize") {
      const back = new URL(searchParams.get("redirect_uri"));
      back.searchParams.set("state", searchParams.get("state"));
      back.searchParams.set("iss", this.url);
      if (this.denies) back.searchParams.set("error", this.denies);
      else {
        const code = randomUUID();
        this.codes.set(code, searchParams);
        back.searchParams.set("code", code);
      }
      response.writeHead(302, { location: back.href });
      return response.end();
    }
    if (pathname === "/token") return json(...this.token(await bodyOf(request)));
    return json({}, 404);
  }

  token(form) {
    const asked = this.codes.get(form.get("code"));
    this.codes.delete(form.get("code"));
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    const fits =
      asked?.get("code_challenge_method") === "S256" &&
      asked.get("code_challenge") === challenge &&
      asked.get("redirect_uri") === form.get("redirect_uri") &&
      form.get("client_id") === "console";
    if (!fits) return [{ error: "invalid_grant" }, 400];
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.url, aud: "tenuto", sub: "ann", exp: now + 300, iat: now, roles: ["operator"] };
    const text = `${encoded({ alg: "ES256", kid: "k1" })}.${encoded(claims)}`;
    const signature = sign("sha256", text, { key: this.key, dsaEncoding: "ieee-p1363" });
    return [{ access_token: `${text}.${signature.toString("base64url")}`, token_type: "Bearer", expires_in: 300 }];
  }
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}
