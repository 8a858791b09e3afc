/** The parser comes without types. What it gives is in metrics-kit.ts. */
declare module "parse-prometheus-text-format" {
  export default function parsePrometheusTextFormat(text: string): unknown;
}
