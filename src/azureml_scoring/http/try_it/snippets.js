/* Code that sends the body. The key is a placeholder: this server may want none. */
const KEY = "YOUR_KEY";
const shell = text => `'${text.replaceAll("'", `'\\''`)}'`;
const quoted = text => `'${text.replace(/[\\']/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`;

/* C#: more quotes around the text than it has in a row, so that nothing in it needs an escape. */
function rawString(text) {
  const longest = Math.max(2, ...[...text.matchAll(/"+/g)].map(([run]) => run.length));
  const fence = '"'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

const SNIPPETS = {
  curl: (url, type, body) => `curl ${shell(url)} \\
  -H ${shell(`Content-Type: ${type}`)} \\
  -H ${shell(`Authorization: Bearer ${KEY}`)} \\
  --data-raw ${shell(body)}`,

  Python: (url, type, body) => `import httpx

response = httpx.post(
    ${quoted(url)},
    headers={"Content-Type": "${type}", "Authorization": "Bearer ${KEY}"},
    content=${quoted(body)}.encode(),
)
response.raise_for_status()
print(response.json()["predictions"])`,

  "C#": (url, type, body) => `using System.Net.Http.Headers;
using System.Text;

var body = ${rawString(body)};
using var client = new HttpClient();
client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "${KEY}");
var content = new StringContent(body, Encoding.UTF8, "${type}");
var response = await client.PostAsync(${JSON.stringify(url)}, content);
response.EnsureSuccessStatusCode();
Console.WriteLine(await response.Content.ReadAsStringAsync());`,

  JavaScript: (url, type, body) => `const response = await fetch(${quoted(url)}, {
  method: "POST",
  headers: {"Content-Type": "${type}", "Authorization": "Bearer ${KEY}"},
  body: ${quoted(body)},
});
if (!response.ok) throw new Error((await response.json()).error);
console.log((await response.json()).predictions);`,
};
