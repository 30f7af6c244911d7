// A vendor with a real OAuth server: npm's oidc-provider signs in, and a simulated HubSpot behind it answers whoever
// brings a token that is alive. oidc-provider has no JWT bearer grant; here it has one, whose judge is `jose`.
//
// node vendor.mjs UPSTREAM KEY
// Writes `private.pem`, which signs assertions. Says `at ADDRESS`, then obeys a line each:
// `hold`    answer no request of the API: say `held` for each, and `refused` for a token that is not given
// `answer`  answer again
// `slow`    take half a second over each token
// `reuse`   use the oldest refresh token again
// `seen`    say what was asked of the token address, and every secret
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { jwtVerify } from 'jose';
import Provider from 'oidc-provider';

const [upstream, key] = process.argv.slice(2);
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
writeFileSync('private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
const server = createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const address = `http://127.0.0.1:${server.address().port}`;
const common = { client_secret: 'canary-client-secret', token_endpoint_auth_method: 'client_secret_post' };
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
// It has much to say about settings for production.
console.info = console.warn = () => {};
const provider = new Provider(address, {
  clients: [
    { ...common, client_id: 'tributary', application_type: 'native', response_types: ['code'],
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'] },
    { ...common, client_id: 'service', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
  ],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: true } },
  scopes: ['openid', 'offline_access', 'crm.read'],
  pkce: { required: () => true },
  ttl: { AccessToken: 3, ClientCredentials: 3, RefreshToken: 14 * 24 * 3600 },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  cookies: { keys: ['a'] },
});

const asked = [];
const secrets = new Set(['canary-client-secret']);
const refreshTokens = [];
let holds = false;
let delay = 0;

// Notes what goes over the token address.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path !== '/token' || !ctx.oidc) return;
  await new Promise((after) => setTimeout(after, delay));
  if (holds && ctx.status >= 400) console.log('refused');
  const form = ctx.oidc.body ?? {};
  asked.push(form.grant_type);
  for (const name of ['code', 'code_verifier', 'refresh_token']) if (form[name]) secrets.add(form[name]);
  for (const name of ['access_token', 'refresh_token']) if (ctx.body?.[name]) secrets.add(ctx.body[name]);
  if (ctx.body?.refresh_token) refreshTokens.push(ctx.body.refresh_token);
});

const body = async (request) => {
  let text = '';
  for await (const part of request) text += part;
  return text;
};

// The grant that oidc-provider lacks.
const bearer = async (form, reply) => {
  asked.push(JWT_BEARER);
  try {
    const options = { audience: `${address}/token`, issuer: 'service', subject: 'service', maxTokenAge: '5m',
      clockTolerance: 10 };
    const { payload } = await jwtVerify(form.get('assertion'), publicKey, options);
    const client = await provider.Client.find('service');
    const token = new provider.ClientCredentials({ client, scope: payload.scope });
    const access_token = await token.save();
    secrets.add(access_token).add(form.get('assertion'));
    reply(200, { access_token, token_type: 'Bearer', expires_in: 3, scope: payload.scope });
  } catch (error) {
    reply(400, { error: 'invalid_grant', error_description: error.message });
  }
};

const callback = provider.callback();
server.on('request', async (request, response) => {
  const reply = (status, value) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (request.url === '/assertion') return bearer(new URLSearchParams(await body(request)), reply);
  if (!request.url.startsWith('/crm/')) return callback(request, response);
  if (holds) return console.log('held');
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  const alive = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  if (!alive?.isValid) return reply(401, { status: 'error', category: 'EXPIRED_AUTHENTICATION', message: 'expired' });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const sent = request.method === 'GET' ? undefined : await body(request);
  const answer = await fetch(upstream + request.url, { method: request.method, headers, body: sent });
  response.writeHead(answer.status, { 'content-type': 'application/json' });
  response.end(await answer.text());
});

console.log(`at ${address}`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'hold' || line === 'answer') {
    holds = line === 'hold';
    console.log(line);
  } else if (line === 'slow') {
    delay = 500;
    console.log(line);
  } else if (line === 'seen') {
    console.log(JSON.stringify({ asked, secrets: [...secrets] }));
  } else if (line === 'reuse') {
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshTokens[0],
      client_id: 'tributary', client_secret: common.client_secret });
    const answer = await fetch(`${address}/token`, { method: 'POST', body: form });
    console.log((await answer.json()).error);
  }
}
process.exit();
