// The little of node that generate.ts uses; @types/node would be a dependency for three names.
declare const process: { argv: string[] };
declare module "node:fs" {
  export function mkdirSync(path: string, options: { recursive: boolean }): void;
  export function writeFileSync(path: string, data: string): void;
}
