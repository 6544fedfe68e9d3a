/** A page of a unit's own: its name, its colour, and something that only a browser draws. */
export const pageOf = (unit: string, colour: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${unit}</title>
<style>
  body { margin: 0; height: 100vh; display: grid; place-content: center; text-align: center; gap: 12px;
         color: white; font: 20px 'DejaVu Sans', sans-serif;
         background: linear-gradient(135deg, ${colour}, #101418) }
  h1 { margin: 0; font-size: 72px; text-shadow: 0 4px 12px #0008 }
  p { margin: 0 }
  b { display: inline-block; padding: 4px 12px; border: 2px solid white; border-radius: 16px; transform: rotate(-3deg) }
</style>
<h1>${unit}</h1>
<p>drawn by a Chromium of its <b>own</b></p>
<p id="sum"></p>
<script>
  document.getElementById('sum').textContent = [...'${unit}'].map((letter) => letter.charCodeAt(0)).join(' + ')
</script>
</html>
`
