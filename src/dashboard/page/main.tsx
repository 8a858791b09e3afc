/** The page of the admin port: begins to listen and shows the frame. */
import { render } from "preact";
import { App } from "./app.js";
import { listen } from "./live.js";
import { followAddress } from "./router.js";
import { followTheme } from "./theme.js";

followTheme();
followAddress();
listen();
const target = document.querySelector("#page") as HTMLElement;
target.replaceChildren();
render(<App />, target);
