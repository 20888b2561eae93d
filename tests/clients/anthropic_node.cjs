// Drives the official `@anthropic-ai/sdk` package for Node and prints what it got as one JSON object.
//   CLIENT_FOLDER  where it is installed
//   GATEWAY_URL    the gateway's root
//   SCENE          which of the functions below
//   FIELDS         further fields of a request, as JSON
//   PROMPTS        what the scene `conversations` says, each in a request of its own, as JSON
const { createRequire } = require("node:module");
const { Anthropic } = createRequire(process.env.CLIENT_FOLDER + "/")("@anthropic-ai/sdk");

const client = new Anthropic({ baseURL: process.env.GATEWAY_URL, authToken: "freeride-local", apiKey: null, maxRetries: 0 });
const question = "Join these words with underscores and answer with only the result: ONE TWO";
const fields = JSON.parse(process.env.FIELDS ?? "{}");

function request(prompt) {
  return { model: "auto", max_tokens: 999, messages: [{ role: "user", content: prompt }], ...fields };
}

// What the SDK makes of an answer, or what it throws.
async function asked(prompt, isStream) {
  let text = "";
  try {
    if (!isStream) return { message: await client.messages.create(request(prompt)) };
    const stream = client.messages.stream(request(prompt)).on("text", (delta) => (text += delta));
    return { message: await stream.finalMessage(), text };
  } catch (error) {
    const type = error.error?.error?.type ?? null;
    const code = error.error?.error?.code ?? null;
    const retryAfter = error.headers?.get("retry-after") ?? null;
    const id = error.requestID ?? null;
    return { thrown: error.constructor.name, status: error.status ?? null, type, code, retryAfter, id, words: error.message, text };
  }
}

async function both(prompt) {
  return { whole: await asked(prompt, false), streamed: await asked(prompt, true) };
}

const scenes = {
  question: () => both(question),
  stream: () => asked(question, true),

  async conversations() {
    const told = {};
    for (const prompt of JSON.parse(process.env.PROMPTS)) told[prompt] = await both(prompt);
    return told;
  },

  async counts() {
    const { data, response } = await client.messages
      .countTokens({ model: "auto", messages: [{ role: "user", content: question }], ...fields })
      .withResponse();
    return { tokens: data.input_tokens, mark: response.headers.get("x-freeride-estimate") };
  },

  async models() {
    const ids = [];
    for await (const each of client.models.list({ limit: 1000 })) ids.push(each.id);
    return { ids, one: (await client.models.retrieve(ids.at(-1))).id };
  },
};

scenes[process.env.SCENE]().then((result) => console.log(JSON.stringify(result)));
