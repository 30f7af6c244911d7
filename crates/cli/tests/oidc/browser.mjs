// A person with a browser: opens an address, signs in, allows what is asked, and follows wherever that leads.
//
// node browser.mjs ADDRESS [WISH]; the wish is else in BROWSER_WISH: `allow`, `deny`, `forge` (bring the answer to
// another question), `print` (say where it ends, and go no further) or `sleep` (do nothing).
const [address, wish = process.env.BROWSER_WISH ?? 'allow'] = process.argv.slice(2);
const jar = new Map();
let next = { url: new URL(address) };
for (let step = 0; wish !== 'sleep' && step < 20; step++) {
  const { url, form } = next;
  if (url.pathname === '/callback') {
    if (wish === 'forge') url.searchParams.set('state', 'forged');
    if (wish === 'print') console.log(url.href);
    else console.log(await (await fetch(url)).text());
    break;
  }
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const request = { redirect: 'manual', headers: { cookie }, method: form ? 'POST' : 'GET', body: form };
  const reply = await fetch(url, request);
  for (const set of reply.headers.getSetCookie()) {
    const [, name, value] = set.match(/^([^=]+)=([^;]*)/);
    if (value) jar.set(name, value);
    else jar.delete(name);
  }
  const location = reply.headers.get('location');
  const page = await reply.text();
  if (location) next = { url: new URL(location, url) };
  else if (wish === 'deny') next = { url: new URL(`${url.href}/abort`) };
  else {
    const action = page.match(/action="([^"]+)"/)?.[1];
    const prompt = page.match(/name="prompt" value="([^"]+)"/)?.[1];
    if (!action) throw new Error(`no form at ${url}: ${reply.status} ${page}`);
    next = { url: new URL(action, url), form: new URLSearchParams({ prompt, login: 'ann', password: 'x' }) };
  }
}
